import { decodeEvent } from '@auditing/audit-event/decoded-event';
import { Source } from '@auditing/proto/event';
import type { Condition, Path } from './condition';
import type { Meaning } from './expand';
import { FieldReader } from './field-source';
import { compileOutput } from './output-template';
import { parseCondition } from './parse-condition';

const meanings: Readonly<Record<string, Meaning>> = {
  user: { kind: 'alias', path: pathOf('User.Username') },
  images: { kind: 'alias', path: pathOf('RequestObject.c[0:2].image') },
  few: { kind: 'list', items: ['a', 'b'] },
  macro: { kind: 'macro', condition: conditionOf('Verb exists'), testCount: 1, flat: '' },
};

function conditionOf(text: string): Condition {
  const { condition } = parseCondition(text);
  if (condition === undefined) throw new Error(`expected a condition: ${text}`);
  return condition;
}

function pathOf(text: string): Path {
  const condition = conditionOf(text);
  if (condition.kind !== 'truth') throw new Error(`expected a path: ${text}`);
  return condition.path;
}

const scope = (name: string): Meaning => meanings[name] ?? { kind: 'none', reason: 'is not known' };

function render(template: string, event: Record<string, unknown>): string {
  const reader = new FieldReader();
  const output = compileOutput(template, scope, reader);
  reader.begin(
    decodeEvent(Buffer.from(JSON.stringify({ AuditID: 'x', ...event })), Source.KUBE_AI_HUB),
  );
  return output.render(reader);
}

const full = {
  Verb: 'create',
  User: { username: 'eve', groups: ['a', 'b'] },
  ObjectRef: { Resource: 'pods', Name: 'ns:pod:one', Namespace: 'test' },
  ResponseStatus: { code: 201 },
  RequestObject: {
    c: [{ image: 'x' }, { image: 'y' }, { image: 'z' }],
    n: 1234567890,
    o: {},
    e: null,
  },
};

it.each([
  ['${user} ${Verb} ${ObjectRef.Name}', 'eve create ns:pod:one'],
  ['100 % of ${user}, $5 {x} ${', '100 % of eve, $5 {x} ${'],
  ['${ResponseStatus.code} ${RequestObject.n} ${User.groups}', '201 1234567890 [a b]'],
  ['[${RequestObject.gone}${RequestObject.e}${RequestObject.o}${ImpersonatedUser}${gone}]', '[]'],
  ['${$1}/${$3}/${$4}/${$0}/${$-1}/${$x}', 'ns/one////'],
  ['${few}', 'a, b'],
  ['${images} ${RequestObject.c[*].image}', 'x, y x, y, z'],
  ['${not a field}', ''],
  [' ${ user } ', ' eve '],
  ['${a}${few}', 'a, b'],
  ['${$2}${$01}${$1x}${$x1}${$12}', 'pod'],
  ['${RequestObject.c[1].image}', 'y'],
])('renders %s', (template, message) => {
  expect(render(template, full)).toBe(message);
});

it('counts the parts of a name beyond nine', () => {
  const Name = Array.from({ length: 12 }, (_, i) => `p${i + 1}`).join(':');
  expect(render('${$9} ${$12} ${$13}', { ObjectRef: { Name } })).toBe('p9 p12 ');
});

it.each([
  [
    { Workspace: 'w', ObjectRef: { Resource: 'namespaces', Name: 'n', Namespace: 'n' } },
    "eve get namespaces 'n' in Workspace w",
  ],
  [
    { Workspace: 'w', Devops: 'd', ObjectRef: { Resource: 'pods', Name: 'n', Namespace: 'n' } },
    "eve get pods 'n' in Devops d",
  ],
  [
    { ObjectRef: { Resource: 'pods', Name: 'n', Namespace: 'n' } },
    "eve get pods 'n' in Namespace n",
  ],
  [{ ObjectRef: { Resource: 'namespaces', Name: 'n', Namespace: 'n' } }, "eve get namespaces 'n'"],
  [
    { ObjectRef: { Resource: 'federatednamespaces', Name: 'n', Namespace: 'n' } },
    "eve get federatednamespaces 'n'",
  ],
  [{ ObjectRef: { Resource: 'nodes', Name: 'n' } }, "eve get nodes 'n'"],
])('has a text for %j without an output', (event, message) => {
  const fields = { Verb: 'get', User: { username: 'eve' }, ...event };
  expect([render('', fields), render(' \n', fields)]).toEqual([message, message]);
});

it.each([
  ['x'.repeat(1_024), 'x'.repeat(1_024)],
  ['x'.repeat(1_025), `${'x'.repeat(1_024)}…`],
  [`😀${'x'.repeat(1_023)}`, `😀${'x'.repeat(1_022)}…`],
  [`${'x'.repeat(1_022)}😀x`, `${'x'.repeat(1_022)}😀…`],
  [`${'x'.repeat(1_023)}😀x`, `${'x'.repeat(1_023)}…`],
  [`${'x'.repeat(1_024)}😀x`, `${'x'.repeat(1_024)}…`],
])('cuts values short, but no character in two: %#', (username, message) => {
  expect(render('${user}', { User: { username } })).toBe(message);
});

it.each([
  ['${user} ${few} ${$1} ${Verb} ${Annotations.x}', []],
  ['x${$0}', ['1 expected ${$n} with n from 1; this is always empty']],
  ['${a b}', ['0 `${a b}` is neither an alias, a list nor a field; it is always empty']],
  ['${gone}', ['0 `${gone}` is not known, and no field; it is empty unless an event has it']],
  [
    '${macro}',
    [
      '0 `${macro}` is a macro, which has no text, and no field; it is empty unless an event has it',
    ],
  ],
])('warns of what %s lacks', (template, warnings) => {
  const { problems } = compileOutput(template, scope, new FieldReader());
  expect(problems.map(({ at, message }) => `${at} ${message}`)).toEqual(warnings);
});

it('reads each field that it names, and what the text without an output needs', () => {
  const rootsOf = (template: string): unknown =>
    compileOutput(template, scope, new FieldReader()).roots;
  expect(rootsOf('${user} ${gone} ${images} ${$1}')).toEqual([
    { field: 'User.username' },
    { other: 'gone' },
    { field: 'RequestObject' },
    { field: 'ObjectRef.Name' },
  ]);
  expect(rootsOf('')).toContainEqual({ field: 'Workspace' });
});
