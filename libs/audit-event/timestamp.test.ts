import {
  microsFromText,
  microsFromTimestamp,
  textFromMicros,
  timestampFromMicros,
} from './timestamp';

const BASE = Date.UTC(2024, 4, 1, 10, 0, 0) * 1000;

test.each([
  ['2024-05-01T10:00:00Z', BASE],
  ['2024-05-01T10:00:00.1Z', BASE + 100_000],
  ['2024-05-01T10:00:00.123456Z', BASE + 123_456],
  ['2024-05-01T10:00:00.123456789Z', BASE + 123_456],
  ['2024-05-01T10:00:00.000001Z', BASE + 1],
  ['2024-05-01T12:30:00.000001+02:30', BASE + 1],
  ['2024-05-01T05:00:00-05:00', BASE],
  ['2024-05-01t10:00:00z', BASE],
  ['2024-02-29T00:00:00.999999Z', Date.UTC(2024, 1, 29) * 1000 + 999_999],
  ['1969-12-31T23:59:59.5Z', -500_000],
  ['2016-12-31T23:59:60Z', Date.UTC(2017, 0, 1) * 1000],
  ['9999-12-31T23:59:59Z', Date.UTC(9999, 11, 31, 23, 59, 59) * 1000],
])('%s is %d', (text, micros) => {
  expect(microsFromText(text)).toBe(micros);
});

test.each([
  [undefined],
  [null],
  [5],
  [{}],
  [''],
  ['now'],
  ['2024-05-01'],
  ['2024-05-01T10:00:00'],
  ['0001-01-01T00:00:00Z'],
  ['2024-02-30T10:00:00Z'],
  ['2023-02-29T10:00:00Z'],
  ['2024-13-01T10:00:00Z'],
  ['2024-00-01T10:00:00Z'],
  ['2024-05-01T24:00:00Z'],
  ['2024-05-01T10:60:00Z'],
  ['2024-05-01T10:00:61Z'],
  ['2024-05-01T10:00:00.Z'],
  [' 2024-05-01T10:00:00Z'],
  ['2024-05-01T10:00:00.12345aZ'],
  ['2024-05-01T10:00:00.123456ZZ'],
  ['2O24-05-01T10:00:00.123456Z'],
])('%j is 0', (text) => {
  expect(microsFromText(text)).toBe(0);
});

test.each([BASE, BASE + 1, BASE + 999_999, -1, 1, 7_258_118_399_999_999])(
  '%d goes to text and to protobuf and comes back',
  (micros) => {
    expect(microsFromText(textFromMicros(micros))).toBe(micros);
    expect(microsFromTimestamp(timestampFromMicros(micros))).toBe(micros);
  },
);

test('text has six digits and UTC', () => {
  expect(textFromMicros(BASE + 7)).toBe('2024-05-01T10:00:00.000007Z');
});

test('0 is no time', () => {
  expect(textFromMicros(0)).toBe('');
  expect(timestampFromMicros(0)).toBeUndefined();
  expect(microsFromTimestamp(undefined)).toBe(0);
});
