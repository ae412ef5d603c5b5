import { createHash } from 'node:crypto';
import { RecentBodies } from './recent-bodies';

const hash = (text: string): Buffer => createHash('sha256').update(text).digest();

describe('recent bodies', () => {
  test('a copy that comes while the first is under way shares its outcome', async () => {
    const recent = new RecentBodies();
    const first = withResolvers();
    let runs = 0;
    const work = async (): Promise<void> => {
      runs += 1;
      await first.promise;
      recent.remember(hash('a'), { eventCount: 1, whole: true });
    };
    const both = [recent.once(hash('a'), work), recent.once(hash('a'), work)];
    first.resolve(undefined);
    expect(await Promise.all(both)).toEqual([false, true]);
    expect(await recent.once(hash('a'), work)).toBe(true);
    expect(runs).toBe(1);
  });

  test('a copy of one that failed shares the failure, and a later one is taken', async () => {
    const recent = new RecentBodies();
    const fail = (): Promise<void> => Promise.reject(new Error('disk'));
    const both = [recent.once(hash('a'), fail), recent.once(hash('a'), fail)];
    expect(await Promise.allSettled(both)).toMatchObject([
      { status: 'rejected' },
      { status: 'rejected' },
    ]);
    expect(recent.count).toBe(0);
    let ran = false;
    const succeed = (): Promise<void> => {
      ran = true;
      return Promise.resolve();
    };
    expect(await recent.once(hash('a'), succeed)).toBe(false);
    expect(ran).toBe(true);
  });

  test('one that failed half-way goes on where it was', async () => {
    const recent = new RecentBodies();
    const half = (): Promise<void> => {
      recent.remember(hash('a'), { eventCount: 7, whole: false });
      return Promise.reject(new Error('disk'));
    };
    await expect(recent.once(hash('a'), half)).rejects.toThrow('disk');
    let from = -1;
    await recent.once(hash('a'), (takenCount) => {
      from = takenCount;
      return Promise.resolve();
    });
    expect(from).toBe(7);
  });

  test('memory is bounded by count and by age, the oldest first', async () => {
    let now = 0;
    const recent = new RecentBodies({ maxCount: 3, maxAgeMs: 100, now: () => now });
    for (const text of ['a', 'b', 'c', 'd'])
      recent.remember(hash(text), { eventCount: 1, whole: true });
    expect(recent.count).toBe(3);
    expect(recent.taken(hash('a')).whole).toBe(false);
    expect(recent.taken(hash('d')).whole).toBe(true);
    now = 101;
    expect(await recent.once(hash('d'), () => Promise.resolve())).toBe(false);
  });
});

function withResolvers(): { promise: Promise<undefined>; resolve: (value: undefined) => void } {
  let resolve: (value: undefined) => void = () => undefined;
  const promise = new Promise<undefined>((done) => (resolve = done));
  return { promise, resolve };
}
