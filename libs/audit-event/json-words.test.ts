import * as fc from 'fast-check';
import { WordText, passPlain, wordsOf } from './json-words';
import { passString } from './valid-json';

/** Mostly plain characters of a string, with all that is not plain among them. */
const BYTES = fc.array(
  fc.oneof(
    { weight: 20, arbitrary: fc.integer({ min: 0x20, max: 0x7f }) },
    { weight: 1, arbitrary: fc.constantFrom(...Buffer.from('"\\u/0\u001f\u0000\u007f')) },
    { weight: 1, arbitrary: fc.integer({ min: 0x80, max: 0xff }) },
  ),
  { maxLength: 40 },
);

/** A view into larger memory: where a body begins there is anything. */
function viewOf(bytes: readonly number[], offset: number): Buffer {
  return Buffer.concat([Buffer.alloc(offset, 'x'), Buffer.from(bytes), Buffer.from('xxxxxxxx')])
    .subarray(offset)
    .subarray(0, bytes.length);
}

function isPlain(byte: number): boolean {
  return byte >= 0x20 && byte < 0x80 && byte !== 0x22 && byte !== 0x5c;
}

test('passPlain ends where a walk byte by byte does', () => {
  fc.assert(
    fc.property(BYTES, fc.nat(40), fc.nat(8), (list, position, offset) => {
      const bytes = viewOf(list, offset);
      let end = Math.min(position, bytes.length);
      const start = end;
      while (end < bytes.length && isPlain(bytes[end] ?? 0)) end++;
      expect(passPlain(bytes, wordsOf(bytes), start)).toBe(end);
    }),
  );
});

test('passPlain knows every byte, wherever it is in a word and whatever is beside it', () => {
  const wrong: unknown[] = [];
  for (let byte = 0; byte < 256; byte++) {
    for (let length = 1; length <= 9; length++) {
      for (let at = 0; at < length; at++) {
        for (const beside of [0x20, 0x21, 0x5b, 0x7f, 0x80, 0xff]) {
          const bytes = Buffer.alloc(length, 'a');
          bytes[at] = byte;
          if (at + 1 < length) bytes[at + 1] = beside;
          const odd = bytes.findIndex((one) => !isPlain(one));
          const found = passPlain(bytes, wordsOf(bytes), 0);
          if (found !== (odd < 0 ? length : odd)) wrong.push({ byte, length, at, beside, found });
        }
      }
    }
  }
  expect(wrong).toEqual([]);
});

test('passString takes what JSON.parse takes', () => {
  fc.assert(
    fc.property(BYTES, fc.nat(8), (list, offset) => {
      const bytes = viewOf([0x22, ...list], offset);
      const end = passString(bytes, wordsOf(bytes), 0);
      // Bytes that are not UTF-8 are replaced: what is valid does not change by it.
      const parses = (until: number) => {
        try {
          return typeof JSON.parse(bytes.toString('utf8', 0, until)) === 'string';
        } catch {
          return false;
        }
      };
      if (end >= 0) expect(parses(end)).toBe(true);
      else {
        for (let until = 2; until <= bytes.length; until++) expect(parses(until)).toBe(false);
      }
    }),
  );
});

test.each(['a', 'ab', 'abc', 'abcd', 'requestReceivedTimestamp'])(
  'the member %s is found up to the very end, and not behind it',
  (key) => {
    const member = `"${key}":`;
    const text = new WordText(member);
    expect(text.length).toBe(member.length);
    for (let offset = 0; offset < 5; offset++) {
      const bytes = Buffer.concat([Buffer.alloc(offset, ' '), Buffer.from(member)]);
      expect(text.isAt(bytes, wordsOf(bytes), offset)).toBe(true);
      expect(text.isAt(bytes, wordsOf(bytes), offset + 1)).toBe(false);
      expect(text.isAt(bytes, wordsOf(bytes), bytes.length)).toBe(false);
      for (let at = offset; at < bytes.length; at++) {
        const changed = Buffer.from(bytes);
        changed[at] = 0x80;
        expect(text.isAt(changed, wordsOf(changed), offset)).toBe(false);
        const short = bytes.subarray(0, at);
        expect(text.isAt(short, wordsOf(short), offset)).toBe(false);
      }
    }
  },
);
