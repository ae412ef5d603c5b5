import { Field, Priority } from '@auditing/proto/event';
import { ExplanationKind } from '@auditing/proto/rule';
import { messageOfFinding } from './finding-message';
import { buildRuleSet, type Resource, type RuleSet } from './rule-set';
import {
  build,
  event,
  namesOf,
  problemsOf,
  rule,
  ruleResource,
  webhook,
} from './testing/rule-sets';

describe('deciding', () => {
  const buildMany = (): RuleSet =>
    buildRuleSet({
      rules: [
        ruleResource('archiving', [
          rule('writes', 'Verb != "get"', { priority: 'DEBUG' }),
          rule('warned', 'Verb = "delete"', { priority: 'WARNING' }),
          rule('unranked', 'Verb != "get"', { priority: '' }),
        ]),
        ruleResource('alerting', [
          rule('a-info', 'Verb in ("get", "delete")', { priority: 'INFO' }),
          rule('c', 'Verb = "delete"'),
          rule('b', 'Verb = "delete"', { output: '${User.username} ${Verb}' }),
          rule('a-none', 'Verb = "get"', { priority: 'FATAL' }),
          rule('off', 'Verb = "get"', { enable: false }),
        ]),
        ruleResource('other', [rule('lonely', 'Verb = "get"')]),
      ],
      webhook,
    });

  it('orders findings by priority, then name, and alerts from alertingPriority on', () => {
    expect(namesOf(buildMany(), { Verb: 'delete' })).toEqual([
      'alerting-rule.b!',
      'alerting-rule.c!',
      'archiving-rule.warned',
      'alerting-rule.a-info',
      'archiving-rule.writes',
    ]);
  });

  it('keeps what an alerting rule matches, whatever its priority', () => {
    expect(namesOf(buildMany(), { Verb: 'get' })).toEqual([
      'alerting-rule.a-info',
      'alerting-rule.a-none',
    ]);
  });

  it('renders messages for alerting rules alone, the default text without an alert only when it is shown', () => {
    const deleted = event({ Verb: 'delete', User: { username: 'eve' } });
    const set = buildMany();
    const findings = set.evaluate(deleted)?.findings ?? [];
    expect(findings.map(({ message }) => message)).toEqual([
      'eve delete',
      "eve delete  ''",
      '',
      '',
      '',
    ]);
    const shown = findings.map((one) => messageOfFinding(one, set.ruleNames[one.rule], deleted));
    expect(shown).toEqual(['eve delete', "eve delete  ''", '', "eve delete  ''", '']);
  });

  it('reads nothing for a message that is made when it is shown', () => {
    const rules = [rule('one', 'Verb = "delete"', { priority: 'INFO' })];
    const later = build(rules, { alertingPriority: 'WARNING' });
    expect(later.projection.fields).not.toContain(Field.USER);
    const atOnce = build(rules, { alertingPriority: 'INFO' });
    expect(atOnce.projection.fields).toContain(Field.USER);
    expect(atOnce.version).not.toBe(later.version);
  });

  it('ignores what nothing matches', () => {
    const quiet = buildRuleSet({
      rules: [ruleResource('archiving', [rule('x', 'Verb = "get"')])],
      webhook,
    });
    expect(quiet.evaluate(event({ Verb: 'list' }))).toBeUndefined();
  });

  it('compares with the thresholds of the Webhook resource', () => {
    const strict = build([rule('info', 'Verb exists', { priority: 'INFO' })], {
      alertingPriority: 'INFO',
    });
    expect(namesOf(strict, { Verb: 'get' })).toEqual(['alerting-rule.info!']);
    const lax = buildRuleSet({
      rules: [ruleResource('archiving', [rule('info', 'Verb exists', { priority: 'INFO' })])],
      webhook: { spec: { auditLevel: 'None', archivingPriority: 'WARNING' } },
    });
    expect(lax.evaluate(event({ Verb: 'get' }))).toBeUndefined();
    expect(problemsOf(lax)).toContainEqual(expect.stringContaining('below archivingPriority'));
  });

  it('counts matches and comparisons of the wrong type for each rule', () => {
    const counting = build([rule('bad', 'User.uid > 5'), rule('good', 'Verb = "get"')]);
    counting.evaluate(event({ Verb: 'get', User: { uid: 'x' } }));
    counting.evaluate(event({ Verb: 'get', User: { uid: '7' } }));
    counting.evaluate(event({ Verb: 'get', User: { uid: 'y' } }));
    expect(counting.rules()).toMatchObject([
      { name: 'alerting-rule.bad', active: true, matchCount: 1n, typeMismatchCount: 2n },
      { name: 'alerting-rule.good', active: true, matchCount: 3n, typeMismatchCount: 0n },
    ]);
  });

  it('lists every rule by name, as it is written, with what is wrong with it', () => {
    const set = build([
      rule('z', 'Verbs exists', { desc: 'why', output: '${gone}', priority: 'INFO' }),
      rule('b', 'Verb exists', { enable: false }),
      { name: 'm', type: 'macro', macro: 'Verb exists' },
      rule('a', '${m}'),
    ]);
    set.evaluate(event({ Verb: 'get' }));
    const idle = { desc: '', output: '', archiving: false, alerting: true, diagnostics: [] };
    const status = { ...idle, priority: Priority.WARNING, typeMismatchCount: 0n };
    const [z, ...others] = set.rules().reverse();
    expect(others).toEqual([
      {
        ...status,
        name: 'alerting-rule.b',
        condition: 'Verb exists',
        active: false,
        matchCount: 0n,
      },
      { ...status, name: 'alerting-rule.a', condition: '${m}', active: true, matchCount: 1n },
    ]);
    expect(z).toMatchObject({ name: 'alerting-rule.z', desc: 'why', priority: Priority.INFO });
    expect(z?.diagnostics.map(({ path }) => path)).toEqual([
      'spec.rules[0].condition',
      'spec.rules[0].output',
    ]);
  });

  it('says nothing of the output of a rule that only archives', () => {
    const set = buildRuleSet({
      rules: [
        ruleResource('alerting', [rule('x', 'Verb exists')]),
        ruleResource('archiving', [rule('y', 'Verb exists', { output: '${gone}' })]),
      ],
      webhook,
    });
    expect(problemsOf(set)).toEqual([]);
  });
});

describe('the hole of the original in CreateHostportPod', () => {
  const open = { ports: [{ hostPort: 80 }] };

  it.each([
    ['a container without ports first', [{}, open]],
    ['a container with no ports first', [{ ports: [] }, open]],
    ['null for ports first', [{ ports: null }, open]],
    ['null for a container first', [null, open]],
    ['a port without hostPort first', [{ ports: [{ containerPort: 1 }, { hostPort: 80 }] }]],
    ['a port that is no number first', [{ ports: [{ hostPort: 'x' }] }, open]],
  ])('is closed: %s', (_what, containers) => {
    const set = build([rule('hostPort', 'RequestObject.spec.containers[*].ports[*].hostPort > 0')]);
    expect(namesOf(set, { RequestObject: { spec: { containers } } })).toHaveLength(1);
  });
});

describe('version and projection', () => {
  it('has one version for what decides alike, whatever the order of resources', () => {
    const a = ruleResource('alerting', [rule('x', 'Verb exists')]);
    const b = ruleResource('archiving', [rule('y', 'Verb exists')]);
    const version = buildRuleSet({ rules: [a, b], webhook }).version;
    expect(version).toMatch(/^[0-9a-f]{64}$/);
    expect(buildRuleSet({ rules: [b, a], webhook }).version).toBe(version);
    expect(buildRuleSet({ rules: [a], webhook }).version).not.toBe(version);
    const other = { ...webhook, spec: { auditLevel: 'Request' } };
    expect(buildRuleSet({ rules: [a, b], webhook: other }).version).not.toBe(version);
    const options = { alsoRead: [Field.NAME] };
    expect(buildRuleSet({ rules: [a, b], webhook }, options).version).not.toBe(version);
    expect(buildRuleSet({ rules: [a, b], webhook }, { alsoRead: [] }).version).toBe(version);
  });

  it('has another version for other labels, in whatever order, and other entries', () => {
    const versionOf = (labels: Resource, entry: Resource): string => {
      const resource = { metadata: { name: 'r', labels }, spec: { rules: [entry] } };
      return buildRuleSet({ rules: [resource], webhook }).version;
    };
    const one = versionOf({ a: '1', b: '2' }, rule('x', 'Verb exists'));
    expect(versionOf({ b: '2', a: '1' }, rule('x', 'Verb exists'))).toBe(one);
    expect(versionOf({ a: '1' }, rule('x', 'Verb exists'))).not.toBe(one);
    expect(versionOf({ a: '1', b: '3' }, rule('x', 'Verb exists'))).not.toBe(one);
    expect(versionOf({ a: '1', b: '2' }, rule('x', 'Level exists'))).not.toBe(one);
  });

  it('reads what whoever evaluates reads besides', () => {
    const set = buildRuleSet({ rules: [], webhook }, { alsoRead: [Field.NAME, Field.LEVEL] });
    expect(set.projection).toEqual({
      fields: [Field.LEVEL, Field.VERB, Field.RESOURCE, Field.SUBRESOURCE, Field.NAME],
      documents: [],
    });
  });

  it('asks for columns, and for whole events only where a rule could need them', () => {
    const set = build([
      rule('pods', 'Verb = "create" and ObjectRef.Resource in ("pods") and RequestObject.a = 1', {
        output: '-',
      }),
      rule('users', 'User.groups[*] = "x" and Verb in ("a", "b")', {
        output: '${ObjectRef.Name} ${Annotations.x}',
      }),
      rule('off', 'StageTimestamp > "2026"', { enable: false }),
    ]);
    expect(set.projection).toEqual({
      fields: [Field.VERB, Field.GROUPS, Field.RESOURCE, Field.SUBRESOURCE, Field.NAME],
      documents: [
        { verbs: ['create'], resources: ['pods'], subresources: [] },
        { verbs: ['a', 'b'], resources: [], subresources: [] },
      ],
    });
  });

  it('asks for every event whole where a rule may look anywhere', () => {
    expect(
      build([rule('r', 'not (Verb = "a" or RequestObject.b = 1)')]).projection.documents,
    ).toEqual([{ verbs: [], resources: [], subresources: [] }]);
    const many = Array.from({ length: 100 }, (_, i) =>
      rule(`r${i}`, `Verb = "v${i}" and RequestObject exists`),
    );
    const { documents } = build(many).projection;
    expect(documents).toHaveLength(1);
    expect(documents[0]?.verbs).toHaveLength(100);
  });
});

it('explains a rule with every value it saw', () => {
  const set = build([
    rule('r', 'Verb = "get" and not (User.uid > 5 or RequestObject.a[*].b = "x")'),
  ]);
  const seen = event({ Verb: 'get', User: { uid: 'u' }, RequestObject: { a: [{ b: 'y' }, {}] } });
  expect(set.explain('alerting-rule.r', seen)).toMatchObject({
    kind: ExplanationKind.AND,
    holds: true,
    parts: [
      { kind: ExplanationKind.TEST, text: 'Verb = "get"', holds: true, values: ['"get"'] },
      {
        kind: ExplanationKind.NOT,
        holds: true,
        parts: [
          {
            kind: ExplanationKind.OR,
            holds: false,
            parts: [
              { text: 'User.uid > 5', holds: false, values: ['"u"'], isMismatch: true },
              { holds: false, values: ['"y"'], isMismatch: false },
            ],
          },
        ],
      },
    ],
  });
  expect(set.explain('alerting-rule.gone', seen)).toBeUndefined();
});

it('explains in full', () => {
  const set = build([rule('r', 'not (Verb in ("list", "watch"))')]);
  expect(set.explain('alerting-rule.r', event({ Verb: 'get' }))).toEqual({
    kind: ExplanationKind.NOT,
    holds: true,
    text: '',
    values: [],
    isMismatch: false,
    parts: [
      {
        kind: ExplanationKind.TEST,
        holds: false,
        text: 'Verb in ("list", "watch")',
        values: ['"get"'],
        isMismatch: false,
        parts: [],
      },
    ],
  });
});

it('explains without values where a path leads nowhere', () => {
  const set = build([rule('r', 'RequestObject.a[*] = 1 or RequestObject.a.b = 1')]);
  for (const a of [5, 'x', null, []]) {
    expect(set.explain('alerting-rule.r', event({ RequestObject: { a } }))?.parts).toMatchObject([
      { values: [] },
      { values: [] },
    ]);
  }
});

it('explains with no more values, and of each no more, than people read', () => {
  const set = build([rule('r', 'RequestObject.a[*] = 1')]);
  const values = ['x'.repeat(5_000), ...Array.from({ length: 500 }, () => 7)];
  const explanation = set.explain('alerting-rule.r', event({ RequestObject: { a: values } }));
  expect(explanation?.values).toHaveLength(100);
  expect(explanation?.values[0]).toHaveLength(1_000);
});
