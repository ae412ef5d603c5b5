import { EVENT_FIELDS } from '@auditing/audit-event/event-fields';
import * as fc from 'fast-check';
import type { Condition, Index, Path, Segment, Test } from '../condition';

const nowhere = { from: 0, to: 0 };

const index: fc.Arbitrary<Index> = fc.oneof(
  fc.constant({ kind: 'any' as const }),
  fc.nat(3).map((at) => ({ kind: 'at' as const, at })),
  fc.tuple(fc.nat(3), fc.option(fc.nat(3), { nil: undefined })).map(([start, length]) => ({
    kind: 'range' as const,
    start,
    end: length === undefined ? undefined : start + length,
  })),
);

/** Short names, so that paths and values meet often. */
const word = fc.constantFrom('a', 'b', 'spec', 'x-1', '_', 'in');

const key = fc.oneof(
  { weight: 4, arbitrary: word },
  fc.string({ unit: 'grapheme', maxLength: 6 }),
  fc.constantFrom('__proto__', 'constructor', 'a.b/c', '"', '\\'),
);

const segment: fc.Arbitrary<Segment> = fc.record({
  key,
  indexes: fc.array(index, { maxLength: 2 }),
});

const fieldHead = fc
  .constantFrom(...EVENT_FIELDS, 'unknown.key', 'verb', 'objectRef.resource')
  .map((name) => name.split('.').map((part) => ({ key: part, indexes: [] as Index[] })));

/** A path that starts at a field of an event. */
export const path: fc.Arbitrary<Path> = fc
  .tuple(fieldHead, fc.array(index, { maxLength: 1 }), fc.array(segment, { maxLength: 3 }))
  .map(([head, indexes, tail]) => {
    const [first = { key: 'Verb', indexes }, ...rest] = [...head, ...tail];
    const last = [first, ...rest][head.length - 1];
    const joined = [first, ...rest].map((part) => (part === last ? { ...part, indexes } : part));
    const [start = first, ...others] = joined;
    return { kind: 'path', isReference: false, segments: [start, ...others], ...nowhere };
  });

/** What can stand between double quotes. */
const text = fc
  .oneof(
    fc.constantFrom('create', 'get', 'pods', 'secrets', 'exec', '', '1', 'true', '<nil>', 'a'),
    fc.string({ unit: 'grapheme', maxLength: 8 }),
  )
  .map((value) => value.replace(/["\\]/g, ''))
  .map((value) => ({ kind: 'text' as const, text: value, ...nowhere }));

const number = fc
  .oneof(fc.integer({ min: -5, max: 500 }), fc.constantFrom(0.5, 1000000, 1234567890))
  .map((value) => ({ kind: 'number' as const, text: String(value), ...nowhere }));

const boolean = fc.boolean().map((value) => ({ kind: 'boolean' as const, value, ...nowhere }));

const order = fc.constantFrom(
  '=' as const,
  '!=' as const,
  '<' as const,
  '<=' as const,
  '>' as const,
  '>=' as const,
);

const range = fc
  .constantFrom('10.0.0.0/8', '::1', 'fc00::/7', '0.0.0.0/0')
  .map((value) => ({ kind: 'text' as const, text: value, ...nowhere }));

/** A condition that looks at one field; regular expressions among them are well-formed. */
export const test: fc.Arbitrary<Test> = fc.oneof(
  fc.record({
    kind: fc.constant('truth' as const),
    path,
    from: fc.constant(0),
    to: fc.constant(0),
  }),
  fc.record({
    kind: fc.constant('exists' as const),
    path,
    negated: fc.boolean(),
    from: fc.constant(0),
    to: fc.constant(0),
  }),
  fc.record({
    kind: fc.constant('compare' as const),
    path,
    operator: order,
    value: fc.oneof(text, number),
    from: fc.constant(0),
    to: fc.constant(0),
  }),
  fc.record({
    kind: fc.constant('compare' as const),
    path,
    operator: fc.constantFrom('=' as const, '!=' as const),
    value: boolean,
    from: fc.constant(0),
    to: fc.constant(0),
  }),
  fc.record({
    kind: fc.constant('match' as const),
    path,
    operator: fc.constantFrom('contains' as const, 'like' as const),
    negated: fc.boolean(),
    value: text,
    from: fc.constant(0),
    to: fc.constant(0),
  }),
  fc.record({
    kind: fc.constant('match' as const),
    path,
    operator: fc.constant('regex' as const),
    negated: fc.boolean(),
    value: fc
      .constantFrom('^c', 'e$', '(?i)PODS', '[a-z]+', '^(a+)+$', 'x|y')
      .map((pattern) => ({ kind: 'text' as const, text: pattern, ...nowhere })),
    from: fc.constant(0),
    to: fc.constant(0),
  }),
  fc.record({
    kind: fc.constant('member' as const),
    path,
    operator: fc.constant('in' as const),
    negated: fc.boolean(),
    items: fc.array(fc.oneof(text, number), { minLength: 1, maxLength: 3 }),
    from: fc.constant(0),
    to: fc.constant(0),
  }),
  fc.record({
    kind: fc.constant('member' as const),
    path,
    operator: fc.constant('ipInCidr' as const),
    negated: fc.boolean(),
    items: fc.array(range, { minLength: 1, maxLength: 2 }),
    from: fc.constant(0),
    to: fc.constant(0),
  }),
);

/** A test of what the index is over, so that much is settled by it. */
const indexedTest: fc.Arbitrary<Test> = fc
  .tuple(fc.constantFrom('Verb', 'ObjectRef.Resource', 'ObjectRef.Subresource'), test)
  .map(([field, like]) => {
    const [first = '', ...rest] = field.split('.');
    const segments: Path['segments'] = [
      { key: first, indexes: [] },
      ...rest.map((name) => ({ key: name, indexes: [] })),
    ];
    return { ...like, path: { ...like.path, segments } };
  });

/** A whole condition. */
export const condition: fc.Arbitrary<Condition> = fc.letrec<{ node: Condition }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.oneof(test, indexedTest),
    fc.record({
      kind: fc.constantFrom('and' as const, 'or' as const),
      operands: fc.array(tie('node'), { minLength: 2, maxLength: 3 }),
      from: fc.constant(0),
      to: fc.constant(0),
    }),
    fc.record({
      kind: fc.constant('not' as const),
      operand: tie('node'),
      from: fc.constant(0),
      to: fc.constant(0),
    }),
  ),
})).node;

const leaf = fc.oneof(
  fc.constantFrom<unknown>('create', 'get', 'pods', 'exec', '', null, true, 0, 30, '10.0.0.8', 'a'),
  fc.string({ unit: 'binary', maxLength: 5 }),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
);

/** Any value of JSON, with keys that paths ask for. */
export const value: fc.Arbitrary<unknown> = fc.letrec<{ node: unknown }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    leaf,
    fc.array(tie('node'), { maxLength: 3 }),
    fc.dictionary(key, tie('node'), { maxKeys: 3 }),
  ),
})).node;

const verb = fc.constantFrom<unknown>('create', 'get', 'DELETE', '', null, 5, 'x'.repeat(300));
const name = fc.constantFrom<unknown>('pods', 'secrets', 'exec', '', null, true);

/** An event of Kube AI Hub: mostly of the usual shape, with anything in any place. */
export const event: fc.Arbitrary<Record<string, unknown>> = fc.record(
  {
    AuditID: leaf,
    Verb: fc.oneof({ weight: 4, arbitrary: verb }, value),
    Level: leaf,
    RequestURI: value,
    User: fc.oneof(
      fc.record({ username: leaf, groups: fc.array(leaf, { maxLength: 2 }), extra: value }),
      value,
    ),
    SourceIPs: fc.oneof(fc.array(fc.constantFrom('10.0.0.8', '::1', 'x'), { maxLength: 2 }), value),
    ObjectRef: fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record(
          { Resource: name, Subresource: name, Name: leaf },
          { requiredKeys: [] },
        ),
      },
      value,
    ),
    ResponseStatus: fc.oneof(fc.record({ code: leaf }), value),
    RequestObject: value,
    Annotations: value,
    Workspace: leaf,
    unknown: value,
  },
  { requiredKeys: [] },
);
