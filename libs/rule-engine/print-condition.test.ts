import * as fc from 'fast-check';
import type { Condition } from './condition';
import { parseCondition } from './parse-condition';
import { printCondition } from './print-condition';
import { condition } from './testing/arbitraries';

/** A tree without the places in its text. */
function bare(tree: Condition | undefined): unknown {
  return JSON.parse(
    JSON.stringify(tree, (key, value: unknown) => (key === 'from' || key === 'to' ? 0 : value)),
  );
}

it('prints every condition so that parsing gives it back', () => {
  fc.assert(
    fc.property(condition, (tree) => {
      expect(bare(parseCondition(printCondition(tree)).condition)).toEqual(bare(tree));
    }),
  );
});

it.each([
  ['Verb=="create"', 'Verb = "create"'],
  ['A && B || C', '(A and B) or C'],
  ['NOT A and B', 'not (A and B)'],
  ['A =~ "x" AND B !~ "y"', 'A regex "x" and B not regex "y"'],
  ['A regexp "x"', 'A regex "x"'],
  ['A ["x"]', undefined],
  ['labels["a.b/c"] exists', 'labels."a.b/c" exists'],
  ['a."b"[*][0:][:2] exists', 'a.b[*][0:][0:2] exists'],
  ['${m} and ${a}[0].b = 1', '${m} and ${a}[0].b = 1'],
  ['Verb in ${l}', 'Verb in (${l})'],
  ['a = TRUE', 'a = true'],
])('spells %s in one way', (text, printed) => {
  const { condition: tree } = parseCondition(text);
  expect(tree && printCondition(tree)).toBe(printed);
});
