import { Priority } from '@auditing/proto/event';
import { readRuleResource } from './rule-resource';
import type { Resource } from './rule-set';

/** The entries of a resource, and what is reported. */
function read(rules: Resource, metadata: Resource = { name: 'r' }): [unknown[], ...string[]] {
  const { entries, report } = readRuleResource({ metadata, spec: { rules } });
  const problems = report.diagnostics.map(
    ({ resource, path, message }) => `${resource} ${path}: ${message}`,
  );
  return [[...entries.values()], ...problems];
}

const path = 'spec.rules[0]';

it('reads every type of entry, with blanks around names left out', () => {
  const entries: Resource = [
    {
      ...{ name: ' a ', type: ' rule ', desc: 'why', condition: 'Verb', output: 'o' },
      ...{ priority: 'info', enable: true },
    },
    { name: 'b', type: 'macro', macro: 'Verb' },
    { name: 'c', type: 'list', list: ['x', 1, true] },
    { name: 'd', type: 'alias', alias: ' User.uid ' },
  ];
  expect(read(entries)).toEqual([
    [
      {
        ...{ type: 'rule', name: 'a', path, desc: 'why', condition: 'Verb', output: 'o' },
        ...{ priority: Priority.INFO, enable: true },
      },
      { type: 'macro', name: 'b', path: 'spec.rules[1]', macro: 'Verb' },
      { type: 'list', name: 'c', path: 'spec.rules[2]', list: ['x', '1', 'true'] },
      { type: 'alias', name: 'd', path: 'spec.rules[3]', alias: 'User.uid' },
    ],
  ]);
});

it('takes a rule that says nothing for one that is off', () => {
  const [entries, ...problems] = read([{ name: 'a', type: 'rule' }]);
  expect(entries).toMatchObject([{ enable: false, priority: Priority.UNSPECIFIED }]);
  expect(problems).toEqual([
    `Rule/r ${path}.enable: the rule is not active; add \`enable: true\`, or \`false\` to say so`,
    `Rule/r ${path}.priority: without DEBUG, INFO or WARNING the rule passes no threshold`,
  ]);
});

it.each<[string, Resource, string]>([
  ['no name', { type: 'macro' }, '.name: expected a name, which is how findings and references'],
  [
    'another type',
    { name: 'a', type: 'Rule' },
    '.type: expected rule, macro, list or alias, found',
  ],
  ['no object', 5, ': expected an object, found `5`'],
])('leaves out an entry with %s', (_what, entry, problem) => {
  const [entries, first] = read([entry]);
  expect(entries).toEqual([]);
  expect(first).toContain(`Rule/r ${path}${problem}`);
});

it('leaves out what is no text of a list', () => {
  expect(read([{ name: 'l', type: 'list', list: ['a', null, {}, 'b'] }])).toEqual([
    [{ type: 'list', name: 'l', path, list: ['a', 'b'] }],
    `Rule/r ${path}.list[1]: expected a text, found null`,
    `Rule/r ${path}.list[2]: expected a text, found an object`,
  ]);
});

it('takes the first of two entries of one name', () => {
  const [entries, ...problems] = read([
    { name: 'a', type: 'macro', macro: 'A' },
    { name: 'a', type: 'alias', alias: 'B' },
  ]);
  expect(entries).toMatchObject([{ macro: 'A' }]);
  expect(problems).toEqual([
    'Rule/r spec.rules[1]: there is another `a` at spec.rules[0]; that one counts',
  ]);
});

it('calls a resource by namespace and name', () => {
  expect(read('x', { name: 'r', namespace: 'n' })).toEqual([
    [],
    'Rule/n/r spec.rules: expected a list, found `x`',
  ]);
});

it('reads nothing of a resource without a name: nobody could say where it stands', () => {
  expect(read([{ name: 'a', type: 'macro', macro: 'A' }], {})).toEqual([
    [],
    'Rule/ metadata.name: expected the name of the resource',
  ]);
});

it.each([
  [undefined, true, []],
  ['true', true, []],
  ['false', false, []],
  [
    'no',
    true,
    [
      'metadata.annotations.auditing.kubesphere.io/macro-parentheses: expected "true" or "false", found `no`; taken as "true"',
    ],
  ],
])('takes the annotation %j for %s', (word, expected, problems) => {
  const annotations =
    word === undefined ? {} : { 'auditing.kubesphere.io/macro-parentheses': word };
  const { hasMacroParentheses, report } = readRuleResource({
    metadata: { name: 'r', annotations },
  });
  expect(hasMacroParentheses).toBe(expected);
  expect(report.diagnostics.map(({ path: at, message }) => `${at}: ${message}`)).toEqual(problems);
});
