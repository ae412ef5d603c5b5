import { decodeEvent, type DecodedEvent } from '@auditing/audit-event/decoded-event';
import { Source } from '@auditing/proto/event';
import { Severity } from '@auditing/proto/rule';
import { buildRuleSet, type Resource, type RuleSet } from '../rule-set';

/** An event of Kube AI Hub with these fields. */
export function event(fields: Record<string, unknown>): DecodedEvent {
  return decodeEvent(Buffer.from(JSON.stringify({ AuditID: 'a', ...fields })), Source.KUBE_AI_HUB);
}

/** A Webhook resource that keeps everything. */
export const webhook = {
  metadata: { name: 'kube-auditing-webhook' },
  spec: { auditLevel: 'RequestResponse' },
};

/** A Rule resource; `type` is its label. */
export function ruleResource(
  type: string,
  rules: readonly Resource[],
  name = `${type}-rule`,
): Resource {
  return { kind: 'Rule', metadata: { name, labels: { type } }, spec: { rules } };
}

/** An enabled entry of type rule. */
export function rule(
  name: string,
  condition: string,
  more: Record<string, Resource> = {},
): Resource {
  return { name, type: 'rule', condition, enable: true, priority: 'WARNING', ...more };
}

/** The diagnostics of a rule set, a line each. */
export function problemsOf(set: RuleSet): string[] {
  return set.diagnostics.map(
    ({ severity, resource, path, message }) =>
      `${severity === Severity.ERROR ? 'error' : 'warning'} ${resource} ${path}: ${message}`,
  );
}

/** Builds with no other selector than for alerting, whose absence would be reported. */
export function build(rules: readonly Resource[], spec: Record<string, Resource> = {}): RuleSet {
  const archiving = ruleResource('archiving', [], 'nothing');
  return buildRuleSet({
    rules: [ruleResource('alerting', rules), archiving],
    webhook: { ...webhook, spec: { auditLevel: 'RequestResponse', ...spec } },
  });
}

/** The rules that keep an event, those that alert with an exclamation mark. */
export function namesOf(set: RuleSet, fields: Record<string, unknown>): string[] {
  const findings = set.evaluate(event(fields))?.findings ?? [];
  return findings.map(
    (finding) => `${set.ruleNames[finding.rule]?.name ?? ''}${finding.alert ? '!' : ''}`,
  );
}
