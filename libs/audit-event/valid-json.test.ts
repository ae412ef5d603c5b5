import fc from 'fast-check';
import { isValidJson } from './valid-json';

/** What JSON.parse says; it has no limit of depth. */
function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

test.each([
  '{}',
  '[]',
  ' [ ] ',
  '{"a":[1,{"b":null}]}',
  '"\\u00e9\\n\\/"',
  '-0',
  '1.5e-300',
  '5E+3',
  'true',
  'false',
  'null',
  '',
  ' ',
  '01',
  '+1',
  '1.',
  '.5',
  '1e',
  '-',
  'tru',
  'nul',
  'True',
  '[1,]',
  '[,1]',
  '{"a":1,}',
  '{,}',
  '{"a"}',
  '{"a":}',
  '{a:1}',
  '[1 2]',
  '{"a":1 "b":2}',
  '[}',
  '{]',
  '[[]',
  ']',
  '"',
  '"a',
  '"\\x"',
  '"\\u12g4"',
  '"\\u12',
  '"\n"',
  '"\u0000"',
  '1 2',
  '{}{}',
  '{}x',
  '\u00a01',
  '\ufeff1',
  '[NaN]',
  "['a']",
  '"\u2028"',
  '[1]//',
  '"\\',
  'truefalse',
  '{"a":"b"c}',
])('agrees with JSON.parse on %j', (text) => {
  expect(isValidJson(Buffer.from(text))).toBe(parses(text));
});

test('agrees with JSON.parse on any JSON with one change in it', () => {
  const inserted = fc.constantFrom('', 'null', ...Array.from('"\\{}[],:0-.e \nt'));
  const change = fc.record({ at: fc.nat(), cut: fc.nat(2), inserted });
  fc.assert(
    fc.property(fc.json(), change, (json, { at, cut, inserted }) => {
      const place = at % (json.length + 1);
      const text = json.slice(0, place) + inserted + json.slice(place + cut);
      expect(isValidJson(Buffer.from(text))).toBe(parses(Buffer.from(text).toString()));
    }),
    { numRuns: 5000 },
  );
});

test('refuses ten million open brackets and takes ten thousand closed ones', () => {
  expect(isValidJson(Buffer.from('['.repeat(10_000_000)))).toBe(false);
  expect(isValidJson(Buffer.from('['.repeat(10_000) + ']'.repeat(10_000)))).toBe(true);
  expect(isValidJson(Buffer.from('['.repeat(10_001) + ']'.repeat(10_001)))).toBe(false);
});
