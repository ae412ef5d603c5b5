import type { JsonValue } from '@auditing/audit-event/event-fields';
import * as fc from 'fast-check';
import { compareText, textOfNumber, textOfValue } from './text-value';

it.each([
  [1234567890, '1234567890'],
  [1e21, '1000000000000000000000'],
  [1.5e-7, '0.00000015'],
  [-2e-8, '-0.00000002'],
  [-1.25e22, '-12500000000000000000000'],
  [0.5, '0.5'],
  [0, '0'],
])('prints the number %d without an exponent', (number, text) => {
  expect(textOfNumber(number)).toBe(text);
});

it('prints numbers so that they can be read back', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (number) => {
      expect(textOfNumber(number)).not.toContain('e');
      expect(Number(textOfNumber(number))).toBe(number === 0 ? 0 : number);
    }),
  );
});

it('prints lists and objects as Go does', () => {
  expect(textOfValue(['a', null, 3, true, ['b']])).toBe('[a <nil> 3 true [b]]');
  expect(textOfValue({ b: 1, a: { c: [] } })).toBe('map[a:map[c:[]] b:1]');
  expect([true, false, null, 'x'].map(textOfValue)).toEqual(['true', 'false', '<nil>', 'x']);
});

it('survives any depth', () => {
  let deep: unknown = 1;
  for (let i = 0; i < 100_000; i += 1) deep = i % 2 === 0 ? [deep] : { a: deep };
  expect(textOfValue(deep as never)).toContain('…');
});

it('compares by the bytes of UTF-8', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (a, b) => {
      const expected = Buffer.compare(Buffer.from(a), Buffer.from(b));
      expect(Math.sign(compareText(a, b))).toBe(expected);
    }),
  );
});

it.each([
  ['a', 'b'],
  ['a', 'ab'],
  ['a', '\uE000'],
  ['\uD7FF', '\uE000'],
  ['\uD7FF', '\u{10000}'],
  ['\uE000', '\u{10000}'],
  ['\uFFFF', '\u{10FFFF}'],
  ['\uFFFF', '\uDFFF'],
  ['\u{10000}', '\u{10001}'],
])('puts %j before %j', (a, b) => {
  expect(compareText(a, b)).toBeLessThan(0);
  expect(compareText(b, a)).toBeGreaterThan(0);
  expect(compareText(a, a)).toBe(0);
});

it('shows what is nested 500 deep, and no more', () => {
  const nested = (depth: number): JsonValue => (depth === 0 ? [] : [nested(depth - 1)]);
  expect(textOfValue(nested(499))).toBe(`${'['.repeat(500)}${']'.repeat(500)}`);
  expect(textOfValue(nested(500))).toBe(`${'['.repeat(500)}…${']'.repeat(500)}`);
});
