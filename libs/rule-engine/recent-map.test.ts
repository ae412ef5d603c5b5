import { RecentMap } from './recent-map';

function filled(limit: number, keys: readonly number[]): RecentMap<number, string> {
  const map = new RecentMap<number, string>(limit);
  for (const key of keys) map.set(key, `v${key}`);
  return map;
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

it('keeps the last ones, as many as the limit', () => {
  const map = filled(3, upTo(10));
  expect([7, 8, 9].map((key) => map.get(key))).toEqual(['v7', 'v8', 'v9']);
});

it('never holds more than twice the limit', () => {
  const map = filled(3, upTo(100));
  expect(upTo(100).filter((key) => map.get(key) !== undefined).length).toBeLessThanOrEqual(6);
  const exact = filled(2, [0, 1, 2, 3, 4]);
  expect(upTo(5).map((key) => exact.get(key))).toEqual([undefined, undefined, 'v2', 'v3', 'v4']);
});

it('keeps what is asked for again and again, however much else comes', () => {
  const map = filled(2, [0]);
  for (const key of upTo(50)) {
    map.set(key + 1, 'x');
    expect(map.get(0)).toBe('v0');
  }
});

it('finds nothing that was not put in, and remembers no such question', () => {
  const map = filled(2, [0, 1]);
  for (const key of [7, 8, 9, 10, 11]) expect(map.get(key)).toBeUndefined();
  expect([map.get(0), map.get(1)]).toEqual(['v0', 'v1']);
});
