import { Priority } from '@auditing/proto/event';
import { buildRuleSet, type RuleSet } from '@auditing/rule-engine/rule-set';

/**
 * The rule that decides the events of probes, and nothing else does: a probe must raise one alert whatever rules there
 * are, and no rule of the set may raise one for it. It is read, checked, compiled and evaluated as every rule is.
 */
export function probeRules(): RuleSet {
  return buildRuleSet({
    webhook: { kind: 'Webhook', spec: { alertingPriority: Priority[Priority.DEBUG] } },
    rules: [
      {
        kind: 'Rule',
        metadata: { name: 'auditing', labels: { type: 'alerting' } },
        spec: {
          rules: [
            {
              name: 'AuditingProbe',
              type: 'rule',
              enable: true,
              condition: 'Verb = "probe" and User.Username = "system:auditing:probe"',
              output:
                'Probe ${ObjectRef.Name}: somebody asked whether audit alerts arrive. Nothing happened.',
              // It must overtake nothing that is real, and wait for nothing that is not urgent.
              priority: Priority[Priority.INFO],
            },
          ],
        },
      },
    ],
  });
}
