import fc from 'fast-check';

import { BucketCounts } from './bucket-counts';

const width = fc.constantFrom(1e6, 7e6, 60e6, 3600e6, 86_400e6 * 365);
// Times lie at buckets' bounds too, before 1970 and far away.
const time = fc.oneof(
  fc.integer({ min: -5, max: 5 }),
  fc.integer({ min: -4e15, max: 4e15 }),
  fc.integer({ min: 29_453_760, max: 29_453_770 }).map((minute) => minute * 60e6),
  fc.integer({ min: 29_453_760, max: 29_453_770 }).map((minute) => minute * 60e6 - 1),
);

test('every time is counted in the bucket that it lies in', () => {
  fc.assert(
    fc.property(width, fc.array(time), fc.array(fc.nat()), (widthUs, times, picks) => {
      const rows = times.length === 0 ? [] : picks.map((pick) => pick % times.length);
      const all = new BucketCounts(widthUs);
      all.addTimes(Float64Array.from(times));
      all.addTimes(Float64Array.from(times), Uint32Array.from(rows));
      const counted = [...times, ...rows.map((row) => times[row]!)];
      const expected = new Map<number, number>();
      for (const timeUs of counted) {
        const bucket = Math.floor(timeUs / widthUs);
        expected.set(bucket, (expected.get(bucket) ?? 0) + 1);
      }
      expect(new Map(all.entries)).toEqual(expected);
      expect(all.total).toBe(counted.length);
      expect(all.first).toBe(Math.min(...expected.keys(), Infinity));
      expect(all.last).toBe(Math.max(...expected.keys(), -Infinity));
    }),
  );
});
