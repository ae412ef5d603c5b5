import { Severity } from '@auditing/proto/rule';
import { buildRuleSet } from './rule-set';
import { build, namesOf, problemsOf, rule, ruleResource, webhook } from './testing/rule-sets';

describe('names', () => {
  it('puts macros in as if in parentheses, nested, and by the name of another resource', () => {
    const set = buildRuleSet({
      rules: [
        ruleResource('alerting', [
          { name: 'one', type: 'macro', macro: 'Verb = "a" or Verb = "b"' },
          { name: 'two', type: 'macro', macro: '${one} or Verb = "c"' },
          { name: 'who', type: 'alias', alias: '${user}' },
          { name: 'user', type: 'alias', alias: 'user.Username' },
          { name: 'few', type: 'list', list: ['x', '${more}', 7] },
          { name: 'more', type: 'list', list: ['y" or Verb = "get'] },
          rule('r', 'not ${two} and ${who} in ${few}'),
          rule('s', 'User.uid = "1" and ${two}'),
        ]),
        ruleResource('alerting', [rule('t', '${alerting-rule.two}')], 'other'),
        ruleResource('archiving', []),
      ],
      webhook,
    });
    expect(problemsOf(set)).toEqual([expect.stringContaining('`not` covers everything')]);
    const user = { username: 'x', uid: '1' };
    expect(namesOf(set, { Verb: 'c', User: user })).toEqual(['alerting-rule.s!', 'other.t!']);
    expect(namesOf(set, { Verb: 'get', User: user })).toEqual(['alerting-rule.r!']);
    expect(namesOf(set, { Verb: 'c', User: { username: '7' } })).toEqual(['other.t!']);
    expect(namesOf(set, { Verb: 'get', User: { username: 'y" or Verb = "get' } })).toHaveLength(1);
  });

  it.each([
    ['${gone} = 1', '`${gone}` is not known'],
    ['${LIST}', 'did you mean `${list}`'],
    ['${r}', 'is a rule'],
    ['Verb in ${macro}', 'is of type macro, not list'],
    ['${list} = "x"', 'is a list'],
    ['${macro}.x = "x"', 'is a macro'],
    ['${loop}', 'cannot be used: macro `loop` is wrong'],
    ['${broken}', 'cannot be used: macro `broken` is wrong'],
    ['${badAlias} exists', 'cannot be used: alias `badAlias` is wrong'],
    ['Verb in ${badList}', 'cannot be used: list `badList` is wrong'],
    ['SourceIPs ipInCidr ${list}', 'expected an address range'],
  ])('leaves out %s alone, and says why', (condition, reason) => {
    const set = build([
      { name: 'list', type: 'list', list: ['x'] },
      { name: 'macro', type: 'macro', macro: 'Verb = "x"' },
      { name: 'loop', type: 'macro', macro: '${pool}' },
      { name: 'pool', type: 'macro', macro: '${loop} or Verb = "x"' },
      { name: 'broken', type: 'macro', macro: 'Verb = ' },
      { name: 'badAlias', type: 'alias', alias: 'Verb = "x"' },
      { name: 'badList', type: 'list', list: ['${macro}'] },
      rule('r', condition),
      rule('good', 'Verb = "get"'),
    ]);
    expect(problemsOf(set)).toContainEqual(expect.stringContaining(reason));
    expect(problemsOf(set)).toContainEqual(
      expect.stringContaining('refers to itself: loop → pool → loop'),
    );
    expect(namesOf(set, { Verb: 'get' })).toEqual(['alerting-rule.good!']);
    expect(set.rules().find(({ name }) => name === 'alerting-rule.r')).toMatchObject({
      active: false,
    });
  });

  it('refuses macros that grow beyond reason, quickly', () => {
    const doubling = Array.from({ length: 60 }, (_, i) => ({
      name: `m${i}`,
      type: 'macro',
      macro: i === 0 ? 'Verb = "x"' : `\${m${i - 1}} or \${m${i - 1}}`,
    }));
    const set = build([...doubling, rule('r', '${m59}'), rule('good', '${m3}')]);
    expect(problemsOf(set)).toContainEqual(expect.stringContaining('more than 10000 tests'));
    expect(set.ruleNames).toHaveLength(1);
  });

  it('follows an alias with what stands behind it', () => {
    const set = build([
      { name: 'ports', type: 'alias', alias: 'RequestObject.ports' },
      rule('r', '${ports}[*].n = 1'),
    ]);
    expect(namesOf(set, { RequestObject: { ports: [{}, { n: 1 }] } })).toHaveLength(1);
  });
});

describe('diagnostics', () => {
  it('locates an error in the text of its condition', () => {
    expect(build([rule('r', 'Verb = "a"\nand Level')]).diagnostics).toMatchObject([
      { message: expect.stringContaining('`Level` is a text; it is never a boolean') as string },
    ]);
    expect(build([rule('r', 'Verb = "a"\nand = 1')]).diagnostics).toMatchObject([
      {
        severity: Severity.ERROR,
        resource: 'Rule/alerting-rule',
        path: 'spec.rules[0].condition',
        line: 2,
        column: 5,
        excerpt: 'and = 1\n    ^',
      },
    ]);
  });

  it.each([
    ['Verbs = "get"', 'no event has a field `Verbs`; did you mean Verb?'],
    ['ObjectRef.Namespce = "x"', 'did you mean ObjectRef.Namespace?'],
    ['ObjectRef = "x"', 'is an object'],
    ['Verb.x exists', 'has no fields below it'],
    ['Verb[0] contains "x"', 'is no list'],
    ['Verb = "GET"', 'write "get"'],
    ['Level in ("Metadata", "Requests")', '`Level` is never "Requests"'],
    ['Stage = 5', 'it is never a number'],
    ['Verb = "get" and Verb = "list"', 'no event can satisfy `Verb = "get"` and `Verb = "list"`'],
    [
      '(Verb = "get" or Verb = "list") and (Verb = "watch" or Verb = "patch")',
      'no event can match: parts of the condition exclude each other',
    ],
    ['ObjectRef.Missing not exists', 'no event has a field `ObjectRef.Missing`'],
    ['Annotations = "x"', '`Annotations` is an object, which has no value of its own: name a'],
    ['User.extra contains "x"', '`User.extra` is an object'],
    ['Verb like "Get*"', '"Get*" is never in one, write "get*"'],
    ['Verb contains "LIST"', 'write "list"'],
    ['Verb in ("get", "LIST")', '"LIST" is never one, write "list"'],
    ['Verb', '`Verb` is a text; it is never a boolean'],
    ['SourceIPs = "10.0.0.8"', '`SourceIPs` is a list; as a whole it is never "10.0.0.8", write'],
    ['User.Groups in ("a")', 'write `User.Groups[*]` for one of its elements'],
    ['User.groups = 5', '`User.groups` is a list; it is never a number'],
    ['ResponseStatus.code = "Forbidden"', 'is a number; it is never "Forbidden"'],
    ['ResponseStatus.code in (403, "x")', 'it is never "x"'],
    ['ResponseStatus.code > "5"', 'write the number without quotes, not "5"'],
    ['User.username ipInCidr "10.0.0.0/8"', '`User.username` is never an address'],
    ['Stage like "Complete*Response"', '`Stage` is never such; it is one of RequestReceived,'],
    ['Level not regex "^[A-Z]?"', '`Level` is never such'],
    ['User.username = "${who}"', 'a reference inside quotes'],
    ['RequestObject.n = 9007199254740993', '9007199254740993 is one'],
    ['User.groups[*] regex "("', 'missing closing )'],
    ['User[0] exists', 'no event has a field `User[0]`'],
    ['User.Group[100:200][*] = "x"', 'did you mean User.groups?'],
    ['User.Group[10] = "x"', 'no event has a field `User.Group[10]`; did you mean User.groups?'],
    ['User.groups = "x[a]"', 'as a whole it is never "x[a]"'],
    ['User.groups = "[a]x"', 'as a whole it is never "[a]x"'],
    ['User.groups in (5)', 'as a whole it is never "5"'],
    ['ResponseStatus.code > "x404"', 'write the number without quotes, not "x404"'],
    ['ResponseStatus.code > "4040"', 'write the number without quotes, not "4040"'],
    ['ResponseStatus.code = "x404"', 'it is never "x404"'],
    ['ResponseStatus.code != "404x"', 'it is never "404x"'],
    ['Level != "Requests"', '`Level` is never "Requests"'],
  ])('says of %s: %s', (condition, message) => {
    expect(problemsOf(build([rule('r', condition)]))).toEqual([expect.stringContaining(message)]);
  });

  it.each([
    ['Xyzzy exists', 'no event has a field `Xyzzy`'],
    [
      'ObjectRef = "x"',
      '`ObjectRef` is an object, which has no value of its own: name a field below it, such as ObjectRef.Resource',
    ],
    [
      'Annotations = "x"',
      '`Annotations` is an object, which has no value of its own: name a field below it',
    ],
  ])('says of %s in full: %s', (condition, message) => {
    expect(build([rule('r', condition)]).diagnostics).toMatchObject([{ message }]);
  });

  it.each(['Verb regex "("', 'SourceIPs ipInCidr "x"'])(
    'says of a macro with %s what is wrong with it once, where it stands, even if no rule uses it',
    (test) => {
      const macro = { name: 'bad', type: 'macro', macro: `Verb exists\nand ${test}` };
      const place = { path: 'spec.rules[0].macro', line: 2, column: test.indexOf('"') + 5 };
      expect(build([macro]).diagnostics).toMatchObject([place]);
      const rules = [macro, rule('r', '${bad}'), rule('s', '${bad}')];
      const [first, ...others] = build(rules).diagnostics;
      expect(first).toMatchObject(place);
      const message = '`${bad}` cannot be used: macro `bad` is wrong, see spec.rules[0].macro';
      expect(others).toMatchObject([{ message }, { message }]);
    },
  );

  it.each([
    'ObjectRef exists',
    'ResponseStatus.metadata exists',
    'Annotations."a/b" exists',
    'User.extra.scopes[*] = "a"',
    'User.groups[*] = "a"',
    'user.username = "a" and objectRef.resource = "pods" and sourceIPs[0] = "::1"',
    'Level != ""',
    'Level regex "^$"',
    'Level > "Foo"',
    'ResponseStatus.code >= 99 and ResponseStatus.code != "404"',
    'Level like "Request*" and Stage not contains "Start"',
    'Verb regex "^(?i)CREATE$"',
    'SourceIPs = "[10.0.0.8 10.0.0.9]" and User.groups contains "admin"',
    'SourceIPs ipInCidr "10.0.0.0/8" and HostIP ipInCidr "10.0.0.0/8"',
    'ResponseStatus.code > "399" and ResponseStatus.code in (400, "404") and ResponseStatus.code < 500',
    'RequestObject exists and Annotations not exists',
    'RequestObject.n > 9007199254740991 and RequestObject.m < 0.12345678901234567890',
  ])('has nothing against %s', (condition) => {
    expect(problemsOf(build([rule('r', condition)]))).toEqual([]);
  });

  it.each([
    [rule('r', 'Verb exists', { enable: null }), 'warning', 'not active'],
    [rule('r', 'Verb exists', { priority: null }), 'warning', 'passes no threshold'],
    [rule('r', 'Verb exists', { priority: 'HIGH' }), 'warning', 'expected DEBUG, INFO or WARNING'],
    [rule('r', 'Verb exists', { enable: 'yes' }), 'error', 'expected true or false'],
    [rule('r', ' '), 'error', 'expected a condition'],
    [{ name: 'r', type: 'Rule' }, 'error', 'expected rule, macro, list or alias'],
    [{ type: 'rule' }, 'error', 'expected a name'],
    ['text', 'error', 'expected an object'],
    [{ name: 'l', type: 'list', list: [] }, 'warning', 'the list is empty'],
    [{ name: 'l', type: 'list', list: [{}] }, 'error', 'expected a text, found an object'],
    [{ name: 'l', type: 'list', list: 'x' }, 'error', 'expected a list'],
  ])('takes %j with a word', (entry, severity, message) => {
    expect(problemsOf(build([entry]))[0]).toMatch(new RegExp(`^${severity}.*${message}`));
  });

  it('warns of what the level removes, of idle selectors and of equal names', () => {
    const twice = [
      {
        kind: 'Rule',
        metadata: { name: 'r', namespace: 'a', labels: { type: 'alerting' } },
        spec: { rules: [rule('x', 'RequestObject.a exists')] },
      },
      {
        kind: 'Rule',
        metadata: { name: 'r', namespace: 'b', labels: { type: 'alerting' } },
        spec: { rules: [rule('x', 'ResponseObject.a exists'), rule('x', 'Verb exists')] },
      },
    ];
    const set = buildRuleSet({ rules: twice, webhook: { spec: { auditLevel: 'Metadata' } } });
    expect(problemsOf(set)).toEqual([
      expect.stringContaining('type=archiving picks no Rule'),
      expect.stringContaining('reads RequestObject, which the auditLevel Metadata removes'),
      expect.stringContaining('there is another `x`'),
      expect.stringContaining('in the namespaces `a` and `b`'),
      expect.stringContaining('reads ResponseObject'),
    ]);
    expect(set.ruleNames.map(({ name }) => name)).toEqual(['b/r.x', 'r.x']);
  });

  it('leaves a second Rule of one name and namespace out', () => {
    const twins = [rule('x', 'Verb = "get"'), rule('x', 'Verb = "list"'), rule('y', 'Verb exists')];
    const set = buildRuleSet({
      rules: twins.map((entry) => ruleResource('alerting', [entry], 'r')),
      webhook: {
        spec: {
          auditSinkPolicy: { archivingRuleSelector: { matchLabels: { type: 'alerting' } } },
          auditLevel: 'Request',
        },
      },
    });
    const problem = expect.stringMatching(
      /^error Rule\/r metadata.name: there is another Rule/,
    ) as string;
    expect(problemsOf(set)).toEqual([problem, problem]);
    expect(namesOf(set, { Verb: 'get' })).toEqual(['r.x!']);
    expect(namesOf(set, { Verb: 'list' })).toEqual([]);
  });

  it('survives resources that are anything but resources', () => {
    const set = buildRuleSet({
      rules: [null, 5, [], 'x', {}, { metadata: [], spec: 3 }, { metadata: { name: {} } }],
      webhook: ['x'],
    });
    expect(set.ruleNames).toEqual([]);
    expect(set.diagnostics.length).toBeGreaterThan(7);
  });
});
