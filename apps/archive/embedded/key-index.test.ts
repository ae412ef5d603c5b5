import { createHash } from 'node:crypto';
import { KEY_BYTES } from '@auditing/audit-event/event-key';

import { KeyIndex } from './key-index';

const keyOf = (number: number): Buffer => createHash('sha256').update(String(number)).digest();
const keysOf = (numbers: readonly number[]): Buffer => Buffer.concat(numbers.map(keyOf));
const upTo = (count: number): number[] => Array.from({ length: count }, (_, number) => number);

test.each([0, 1, 3, 64, 1000])('with room for %i rows it finds all that came', (rowCount) => {
  const index = new KeyIndex(rowCount);
  const keys = keysOf(upTo(500));
  index.add(keys.subarray(0, 200 * KEY_BYTES));
  for (let row = 200; row < 500; row += 1) {
    expect(index.candidates(keys, row * KEY_BYTES)).toEqual([]);
    expect(index.addNew(keys, row * KEY_BYTES)).toBe(true);
  }
  for (let row = 0; row < 500; row += 1) {
    expect(index.candidates(keys, row * KEY_BYTES)).toEqual([row]);
  }
  expect(index.candidates(keyOf(-1))).toEqual([]);
  expect(index.keys().equals(keys)).toBe(true);
});

test('a key that is there is not added again', () => {
  const index = new KeyIndex(2);
  const keys = keysOf([1, 2, 1, 3]);
  expect(upTo(4).map((row) => index.addNew(keys, row * KEY_BYTES))).toEqual([
    true,
    true,
    false,
    true,
  ]);
  expect(index.keys().equals(keysOf([1, 2, 3]))).toBe(true);
});

test('keys that differ in a single byte are different ones', () => {
  const index = new KeyIndex();
  const others = upTo(KEY_BYTES).map((byte) => {
    const key = keyOf(1);
    key.writeUInt8(key.readUInt8(byte) ^ 1, byte);
    return key;
  });
  for (const key of others) expect(index.addNew(key, 0)).toBe(true);
  expect(index.candidates(keyOf(1))).toEqual([]);
  expect(others.map((key) => index.candidates(key))).toEqual(upTo(KEY_BYTES).map((row) => [row]));
});
