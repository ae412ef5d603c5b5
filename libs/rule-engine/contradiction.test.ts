import * as fc from 'fast-check';
import type { Condition } from './condition';
import { contradictionsIn } from './contradiction';
import { explainCondition } from './explain';
import { parseCondition } from './parse-condition';
import { event } from './testing/rule-sets';

function contradictions(text: string): string[] {
  const { condition } = parseCondition(text);
  if (condition === undefined) throw new Error(`expected a condition: ${text}`);
  return contradictionsIn(condition);
}

it.each([
  ['Verb = "a" and Verb = "b"', '`Verb = "a"` and `Verb = "b"`'],
  ['verb = "a" and Level = "x" and Verb in ("b", "c")', '`verb = "a"` and `Verb in ("b", "c")`'],
  ['Verb = "a" and Verb != "a"', '`Verb = "a"` and `Verb != "a"`'],
  ['Verb = "a" and (Level = "x" and Verb not in ("a"))', '`Verb = "a"` and `Verb not in ("a")`'],
  ['Verb = "ab" and Verb regex "^b"', '`Verb = "ab"` and `Verb regex "^b"`'],
  ['Verb = "ab" and not (Verb like "a*")', '`Verb = "ab"` and `not Verb like "a*"`'],
  ['Verb = "1" and Verb > 1', '`Verb = "1"` and `Verb > 1`'],
  ['User.uid exists and not (User.uid exists)', '`User.uid exists` and `not User.uid exists`'],
  ['User.uid not exists and User.uid = 1', '`User.uid not exists` and `User.uid = 1`'],
  ['ResponseStatus.code > 500 and ResponseStatus.code < 400', 'ResponseStatus.code < 400'],
  ['ResponseStatus.code > 5 and ResponseStatus.code <= 5', 'ResponseStatus.code <= 5'],
  ['ResponseStatus.code = 5 and ResponseStatus.code > 5', 'ResponseStatus.code > 5'],
  ['ResponseStatus.code < 5 and ResponseStatus.code = 5', 'ResponseStatus.code = 5'],
  ['ResponseStatus.code < 5 and ResponseStatus.code >= 5', 'ResponseStatus.code >= 5'],
  ['Level = "x" or (Verb = "a" and Verb = "b")', '`Verb = "a"` and `Verb = "b"`'],
  ['not (Verb = "a" and Verb = "b")', '`Verb = "a"` and `Verb = "b"`'],
  ['Level = "x" and (Verb = "a" and Verb = "b")', '`Verb = "a"` and `Verb = "b"`'],
  ['Level = "x" and (Level = "y" or (Verb = "a" and Verb = "b"))', '`Verb = "a"` and'],
  ['Level = "x" and (Level exists and (Level = "y" or (Verb = "a" and Verb = "b")))', '`Verb = '],
  ['Verb != "a" and Verb = "a"', '`Verb != "a"` and `Verb = "a"`'],
  ['Verb in ("a", "b") and Verb in ("c")', '`Verb in ("a", "b")` and `Verb in ("c")`'],
  ['Verb regex "^b" and Verb in ("a", "ab")', '`Verb in ("a", "ab")`'],
  ['User.uid not in ("a") and User.uid not exists', '`User.uid not exists`'],
  ['ResponseStatus.code > 6 and ResponseStatus.code > 2 and ResponseStatus.code < 5', '< 5`'],
  ['ResponseStatus.code < 2 and ResponseStatus.code < 6 and ResponseStatus.code > 5', '> 5`'],
  ['ResponseStatus.code > 5 and ResponseStatus.code >= 5 and ResponseStatus.code <= 5', '<= 5`'],
  ['ResponseStatus.code >= 5 and ResponseStatus.code > 5 and ResponseStatus.code <= 5', '<= 5`'],
  ['ResponseStatus.code < 5 and ResponseStatus.code <= 5 and ResponseStatus.code >= 5', '>= 5`'],
  ['ResponseStatus.code <= 5 and ResponseStatus.code < 5 and ResponseStatus.code >= 5', '>= 5`'],
])('finds what excludes itself in %s', (text, parts) => {
  expect(contradictions(text)).toEqual([expect.stringContaining(parts)]);
});

it.each([
  'Verb = "a" or Verb = "b"',
  'Verb = "a" and Verb in ("a", "b")',
  'Verb in ("a", "b") and Verb != "a"',
  'Verb = "a" and not (Verb = "b")',
  'Verb = "a" and Verb = "a"',
  'Verb = "a" and Verb exists and not (Verb not exists)',
  'User.uid not exists and not (User.uid = "a")',
  'User.uid not exists and not (User.uid exists)',
  'User.groups[*] = "a" and User.groups[*] = "b"',
  'SourceIPs = "[10.0.0.1]" and SourceIPs ipInCidr "10.0.0.0/8"',
  'ResponseStatus.code >= 5 and ResponseStatus.code <= 5',
  'ResponseStatus.code > 4 and ResponseStatus.code < 5',
  'ResponseStatus.code = 5 and ResponseStatus.code = 5.0',
  'ResponseStatus.code = "201" and ResponseStatus.code = 201',
  'User.uid = "true" and User.uid',
  'Verb = "a" and (Verb = "b" or Level = "x")',
  '(not Verb = "a") and Verb = "b"',
  'Verb not in ("a") and Verb = "b"',
  '(not (Verb = "a" or Verb = "b")) and Verb = "c"',
  'User.uid = true and User.uid = "1"',
  'ResponseStatus.code > "10" and ResponseStatus.code < 5',
  '(not ResponseStatus.code > 5) and ResponseStatus.code < 5 and ResponseStatus.code > 4',
])('has nothing against %s', (text) => {
  expect(contradictions(text)).toEqual([]);
});

it('does not try thousands of values one by one', () => {
  const anyOf = (count: number): string =>
    Array.from({ length: count }, (_, i) => `"v${i}"`).join(', ');
  expect(contradictions(`Verb in (${anyOf(1_000)}) and Verb = "a"`)).toHaveLength(1);
  expect(contradictions(`Verb in (${anyOf(1_001)}) and Verb = "a"`)).toEqual([]);
});

const value = fc.constantFrom('"1"', '"a"', '"true"', '""', '1', '2');
const field = fc.constantFrom('RequestObject.a', 'requestobject.a', 'RequestObject.b');
const test = fc.oneof(
  fc
    .tuple(field, fc.constantFrom('=', '!=', '<', '<=', '>', '>='), value)
    .map((parts) => parts.join(' ')),
  fc
    .tuple(field, fc.constantFrom('in', 'not in'), value, value)
    .map(([f, o, a, b]) => `${f} ${o} (${a}, ${b})`),
  fc
    .tuple(field, fc.constantFrom('exists', 'not exists', '', '= true', '!= false'))
    .map((parts) => parts.join(' ')),
  fc
    .tuple(field, fc.constantFrom('like "?"', 'regex "^a"', 'not contains "1"'))
    .map((parts) => parts.join(' ')),
);
const part = fc.oneof(
  test,
  test.map((text) => `not (${text})`),
);
const held = fc.constantFrom<unknown>(
  '1',
  'a',
  'true',
  '',
  1,
  2,
  true,
  null,
  undefined,
  {},
  ['a'],
  { x: 1 },
);

it('never calls impossible what an event satisfies', () => {
  let foundCount = 0;
  fc.assert(
    fc.property(fc.array(part, { minLength: 2, maxLength: 4 }), held, held, (parts, a, b) => {
      const condition = parseCondition(parts.map((text) => `(${text})`).join(' and '))
        .condition as Condition;
      const isImpossible = contradictionsIn(condition).length > 0;
      if (isImpossible) foundCount += 1;
      const { holds } = explainCondition(condition, event({ RequestObject: { a, b } }));
      expect(holds && isImpossible).toBe(false);
    }),
  );
  expect(foundCount).toBeGreaterThan(0);
});
