import { decodeEvent } from '@auditing/audit-event/decoded-event';
import { Source } from '@auditing/proto/event';
import type { Meaning } from './expand';
import { FieldReader } from './field-source';
import { compileOutput } from './output-template';
import { parseCondition } from './parse-condition';

const meanings: Readonly<Record<string, Meaning>> = {
  user: { kind: 'alias', path: pathOf('User.Username') },
  images: { kind: 'alias', path: pathOf('RequestObject.c[0:2].image') },
  few: { kind: 'list', items: ['a', 'b'] },
};

function pathOf(text: string): Extract<Meaning, { kind: 'alias' }>['path'] {
  const { condition } = parseCondition(text);
  if (condition?.kind !== 'truth') throw new Error(text);
  return condition.path;
}

function render(template: string, event: Record<string, unknown>): string {
  const reader = new FieldReader();
  const scope = (name: string): Meaning =>
    meanings[name] ?? { kind: 'none', reason: 'is not known' };
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
])('renders %s', (template, message) => {
  expect(render(template, full)).toBe(message);
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
  [{ ObjectRef: { Resource: 'nodes', Name: 'n' } }, "eve get nodes 'n'"],
])('has a text for %j without an output', (event, message) => {
  expect(render('', { Verb: 'get', User: { username: 'eve' }, ...event })).toBe(message);
});

it('cuts huge values short', () => {
  expect(render('${user}', { User: { username: 'x'.repeat(5_000) } })).toHaveLength(1_025);
});
