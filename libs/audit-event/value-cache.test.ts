import { wordsOf } from './json-words';
import { ValueCache } from './value-cache';

const COLUMN = 3;

function cacheOf(bytes: Buffer): ValueCache {
  return ValueCache.take({ bytes, words: wordsOf(bytes) }, 8);
}

test('a value is found again up to the very end of a body, and every byte of it counts', () => {
  for (let length = 1; length <= 21; length++) {
    for (let offset = 0; offset < 4; offset++) {
      const value = Buffer.from('"bcdefghijklmnopqrstu'.slice(0, length));
      const body = Buffer.concat([Buffer.alloc(offset, ' '), value, Buffer.from(','), value]);
      const again = offset + length + 1;
      for (let at = -1; at < length; at++) {
        if (at >= 0) body[again + at] = 0xe9;
        const cache = cacheOf(body);
        expect(cache.find(COLUMN, offset, offset + length)).toBe(-1);
        cache.add(7);
        expect(cache.repeatedEnd(COLUMN, again)).toBe(at < 0 ? body.length : -1);
        expect(cache.find(COLUMN, again, body.length)).toBe(at < 0 ? 7 : -1);
        expect(cache.repeatedEnd(COLUMN, again + 1)).toBe(-1);
        expect(cache.repeatedEnd(COLUMN - 1, again)).toBe(-1);
        cache.release();
        value.copy(body, again);
      }
    }
  }
});

test('nothing of a body is left for the next one', () => {
  const body = Buffer.from('"value"');
  const first = cacheOf(body);
  first.find(COLUMN, 0, body.length);
  first.add(1);
  first.release();
  const second = cacheOf(Buffer.from(body));
  expect(second.repeatedEnd(COLUMN, 0)).toBe(-1);
  expect(second.find(COLUMN, 0, body.length)).toBe(-1);
});

test('bodies that are read at once have caches of their own', () => {
  const body = Buffer.from('"value"');
  const caches = Array.from({ length: 8 }, () => cacheOf(body));
  for (const [place, cache] of caches.entries()) {
    expect(cache.find(COLUMN, 0, body.length)).toBe(-1);
    cache.add(place);
  }
  caches.forEach((cache, place) => {
    expect(cache.find(COLUMN, 0, body.length)).toBe(place);
  });
  for (const cache of caches) {
    cache.release();
    cache.release();
  }
  expect(new Set(caches.map(() => cacheOf(body))).size).toBe(caches.length);
});
