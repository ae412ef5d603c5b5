import { buildRuleSet, type Resource } from './rule-set';
import { build, problemsOf, rule, ruleResource } from './testing/rule-sets';

/** What is wrong, without the severity. */
function problems(rules: readonly Resource[], spec: Record<string, Resource>): string[] {
  const found = problemsOf(buildRuleSet({ rules, webhook: { metadata: { name: 'w' }, spec } }));
  return found.map((problem) => problem.replace(/^warning /, ''));
}

const named = (name: string, namespace: string): Resource => ({
  metadata: { name, namespace, labels: { type: 'alerting' } },
  spec: { rules: [rule('x', 'Verb exists')] },
});
const archivingToo = {
  auditLevel: 'None',
  auditSinkPolicy: { archivingRuleSelector: { matchLabels: { type: 'alerting' } } },
};

describe('a selector that picks no Rule', () => {
  const path = (kind: string): string => `Webhook/w spec.auditSinkPolicy.${kind}RuleSelector`;
  const selecting = (type: string): Record<string, Resource> => ({
    auditLevel: 'None',
    auditSinkPolicy: {
      archivingRuleSelector: { matchLabels: { type } },
      alertingRuleSelector: { matchLabels: { type } },
    },
  });

  it('is warned of with its effect', () => {
    expect(problems([], { auditLevel: 'None' })).toEqual([
      `${path('archiving')}: type=archiving picks no Rule, so nothing is archived by priority`,
      `${path('alerting')}: type=alerting picks no Rule, so nothing is raised as an alert`,
    ]);
  });

  it('is warned of with the labels that there are', () => {
    const rules = [
      ruleResource('x', [], 'a'),
      ruleResource('y', [], 'b'),
      ruleResource('x', [], 'c'),
      { metadata: { name: 'd' } },
    ];
    expect(problems(rules, selecting('z'))).toEqual([
      `${path('archiving')}: type=z picks no Rule, so nothing is archived by priority; the Rules are labelled type: x, type: y`,
      `${path('alerting')}: type=z picks no Rule, so nothing is raised as an alert; the Rules are labelled type: x, type: y`,
    ]);
  });

  it('is warned of with the one that would', () => {
    const rules = [ruleResource('archiving', []), ruleResource('alerting', [])];
    const labels = 'the Rules are labelled type: alerting, type: archiving';
    expect(problems(rules, selecting('z'))).toEqual([
      `${path('archiving')}: type=z picks no Rule, so nothing is archived by priority; ${labels}: write matchLabels {type: archiving}`,
      `${path('alerting')}: type=z picks no Rule, so nothing is raised as an alert; ${labels}: write matchLabels {type: alerting}`,
    ]);
  });
});

describe('Rules of one name', () => {
  it('are warned of, in two namespaces', () => {
    expect(problems([named('r', 'b'), named('r', 'a')], archivingToo)).toEqual([
      'Rule/b/r metadata.name: there is a Rule `r` in the namespaces `a` and `b`; ${r.…} means the first one',
    ]);
    expect(problems([named('r', 'a'), named('s', 'b')], archivingToo)).toEqual([]);
  });

  it('are no twins without a name: each lacks it', () => {
    const nameless = 'error Rule/ metadata.name: expected the name of the resource';
    const rules = [{ metadata: { labels: { type: 'alerting' } } }, { metadata: {} }];
    expect(problems(rules, archivingToo)).toEqual([nameless, nameless]);
  });
});

describe('a rule below archivingPriority', () => {
  const path = 'spec.rules[0].priority';
  const below = `Rule/r ${path}: the priority is below archivingPriority: the rule does nothing`;

  it.each([
    ['archiving', 'DEBUG', [below]],
    ['archiving', 'INFO', []],
    ['archiving', 'WARNING', []],
    ['alerting', 'DEBUG', []],
    ['neither', 'DEBUG', []],
    [
      'archiving',
      '',
      [`Rule/r ${path}: without DEBUG, INFO or WARNING the rule passes no threshold`],
    ],
  ])('is warned of: %s, %s', (type, priority, expected) => {
    const rules = [
      ruleResource('archiving', [], 'a'),
      ruleResource('alerting', [], 'b'),
      ruleResource(type, [rule('x', 'Verb exists', { priority: priority || null })], 'r'),
    ];
    expect(problems(rules, { auditLevel: 'None', archivingPriority: 'INFO' })).toEqual(expected);
  });

  it('is not, if it alerts too', () => {
    const rules = [
      ruleResource('alerting', [rule('x', 'Verb exists', { priority: 'DEBUG' })], 'r'),
    ];
    expect(problems(rules, { ...archivingToo, archivingPriority: 'INFO' })).toEqual([]);
  });
});

describe('a body that the level removes', () => {
  const removed = (field: string, level: string): string =>
    `the rule reads ${field}, which the auditLevel ${level} removes from events of Kube AI Hub`;

  it.each([
    ['RequestObject.a exists', 'None', [removed('RequestObject', 'None')]],
    ['RequestObject.a exists', 'Metadata', [removed('RequestObject', 'Metadata')]],
    ['RequestObject.a exists', 'Request', []],
    [
      'Verb exists and (Level exists or RequestObject.a exists)',
      'None',
      [removed('RequestObject', 'None')],
    ],
    ['not ResponseObject.a exists', 'Request', [removed('ResponseObject', 'Request')]],
    [
      'ResponseObject exists and RequestObject exists',
      'Request',
      [removed('ResponseObject', 'Request')],
    ],
    ['ResponseObject.a exists', 'RequestResponse', []],
    ['Verb exists and Level exists', 'None', []],
  ])('is warned of: %s at %s', (condition, auditLevel, expected) => {
    const { diagnostics } = build([rule('x', condition)], { auditLevel });
    expect(diagnostics.map(({ message }) => message)).toEqual(expected);
    for (const { path } of diagnostics) expect(path).toBe('spec.rules[0].condition');
  });

  it('is warned of in an output', () => {
    const rules = [rule('x', 'Verb exists', { output: '${Verb} ${ResponseObject.a}' })];
    expect(build(rules, { auditLevel: 'Request' }).diagnostics).toMatchObject([
      {
        path: 'spec.rules[0].output',
        message:
          'the output shows ResponseObject, which the auditLevel Request removes from events of Kube AI Hub: it is empty there',
      },
    ]);
    expect(build(rules, { auditLevel: 'RequestResponse' }).diagnostics).toEqual([]);
  });
});
