import fc from 'fast-check';

import { Needle } from './text-needle';

/** Of few bytes, frequent and rare ones, so that needles and parts of them are met often. */
const bytes = (minLength: number, maxLength: number): fc.Arbitrary<Buffer> =>
  fc
    .array(fc.constantFrom('e', '"', 'z'), { minLength, maxLength })
    .map((all) => Buffer.from(all.join('')));

const sought = fc.record({
  needle: bytes(0, 12),
  hay: bytes(0, 300),
  from: fc.nat(20),
  isThere: fc.boolean(),
});

test('finds what indexOf finds, from any place on', () => {
  fc.assert(
    fc.property(sought, ({ needle, hay, from, isThere }) => {
      const haystack = isThere ? Buffer.concat([hay, needle, hay]) : hay;
      const start = Math.min(from, haystack.length);
      expect(new Needle(needle).firstIn(haystack, start)).toBe(haystack.indexOf(needle, start));
    }),
    { numRuns: 2000 },
  );
});

test.each([0, 1, 63, 64, 65, 200])(
  'finds a needle behind %d places that only look like it',
  (count) => {
    const needle = new Needle(Buffer.from('see pods/binding-59, not'));
    const before = 'not pods/binding-59, '.repeat(count);
    const haystack = Buffer.from(`${before}see pods/binding-59, not`);
    expect(needle.firstIn(haystack)).toBe(before.length);
    expect(needle.firstIn(haystack, before.length + 1)).toBe(-1);
    expect(needle.firstIn(haystack.subarray(0, -1))).toBe(-1);
  },
);

test('a hit whose begin lies before the place to begin at is none', () => {
  const haystack = Buffer.from('not zebra, not zebra');
  expect(new Needle(Buffer.from('not zebra')).firstIn(haystack, 2)).toBe(11);
});
