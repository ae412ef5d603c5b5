import { inTurn } from './pace';

test('work begins in the order in which it was asked for, one after the other', async () => {
  const told: string[] = [];
  const work = (name: string) =>
    inTurn({ yieldEveryMs: 0 }, async (pace) => {
      told.push(`${name} begins`);
      await pace.giveWay();
      told.push(`${name} ends`);
    });
  await Promise.all(['a', 'b'].map(work));
  expect(told).toEqual(['a begins', 'a ends', 'b begins', 'b ends']);
});

test('the event loop gets its turns between many short pieces of work', async () => {
  let turns = 0;
  const count = (): void => {
    turns += 1;
    next = setImmediate(count);
  };
  let next = setImmediate(count);
  await Promise.all(
    Array.from({ length: 20 }, () => inTurn({ yieldEveryMs: 0 }, () => Promise.resolve())),
  );
  clearImmediate(next);
  expect(turns).toBeGreaterThanOrEqual(20);
});

test('work that fails does not hold up what comes after it', async () => {
  const failing = inTurn({}, () => Promise.reject(new Error('bad')));
  const next = inTurn({}, () => Promise.resolve('done'));
  await expect(failing).rejects.toThrow('bad');
  expect(await next).toBe('done');
});

test('work whose signal has aborted is not begun', async () => {
  const controller = new AbortController();
  const before = inTurn({}, (pace) => pace.giveWay());
  const begun = jest.fn(() => Promise.resolve());
  const never = inTurn({ signal: controller.signal }, begun);
  controller.abort(new Error('stopping'));
  await before;
  await expect(never).rejects.toThrow('stopping');
  expect(begun).not.toHaveBeenCalled();
});
