import * as fc from 'fast-check';
import { RE2JS } from 're2js';
import { literalTest } from './literal-pattern';

const letter = fc.constantFrom('a', 'b', 'A', '-', ':', '/', '.', '\n', 'é', '😀');
const value = fc.string({ unit: letter, maxLength: 5 });
const piece = fc.constantFrom(
  'a',
  'b',
  'A',
  '-',
  ':',
  '/',
  ' ',
  '\\.',
  '\\-',
  '\\/',
  '\\$',
  '.',
  '*',
  '[',
  '\\d',
  '\\b',
);
const pattern = fc
  .tuple(fc.constantFrom('', '^'), fc.array(piece, { maxLength: 4 }), fc.constantFrom('', '$'))
  .map(([start, pieces, end]) => start + pieces.join('') + end);

it('finds what RE2 finds, wherever it takes a pattern at all', () => {
  let takenCount = 0;
  fc.assert(
    fc.property(pattern, value, (text, found) => {
      const literal = literalTest(text);
      if (literal === undefined) return;
      takenCount += 1;
      expect(literal(found)).toBe(RE2JS.compile(text).test(found));
    }),
  );
  expect(takenCount).toBeGreaterThan(0);
});

it.each([
  ['^kube-', true],
  ['system:serviceaccount', true],
  ['v1\\.28$', true],
  ['^$', true],
  ['', true],
  ['a.b', false],
  ['a|b', false],
  ['(?i)a', false],
  ['\\d', false],
  ['\\Qa\\E', false],
  ['a$b', false],
  ['^^a', false],
  ['a{2}', false],
  ['é', false],
  ['\\é', false],
  ['a\\', false],
  ['a\nb', false],
])('takes %j for a mere text: %s', (text, expected) => {
  expect(literalTest(text) !== undefined).toBe(expected);
});
