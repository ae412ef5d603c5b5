import { bisect, FinalError, type EventRange } from './bisect';

/** Somebody who refuses every range with one of these events in it. */
async function run(count: number, bad: readonly number[]) {
  const attempts: EventRange[] = [];
  const buried: number[] = [];
  const results = await bisect(
    { first: 0, count },
    {
      attempt(range) {
        attempts.push(range);
        const isBad = bad.some((one) => one >= range.first && one < range.first + range.count);
        return isBad ? Promise.reject(new FinalError(new Error('bad'))) : Promise.resolve(range);
      },
      bury(event) {
        buried.push(event);
        return Promise.resolve();
      },
    },
  );
  return { attempts, buried, results };
}

test.each([
  [1, []],
  [8, []],
  [1, [0]],
  [8, [0]],
  [8, [7]],
  [9, [4]],
  [100, [3, 4, 97]],
  [5, [0, 1, 2, 3, 4]],
])(
  'of %i events exactly the bad ones %j are buried, all others go through once',
  async (count, bad) => {
    const { buried, results } = await run(count, bad);
    expect(buried).toEqual(bad);
    const through = results.flatMap(({ first, count: size }) =>
      Array.from({ length: size }, (_, index) => first + index),
    );
    const good = Array.from({ length: count }, (_, index) => index).filter(
      (one) => !bad.includes(one),
    );
    expect(through).toEqual(good);
  },
);

test('a replay makes the same attempts', async () => {
  expect((await run(100, [41])).attempts).toEqual((await run(100, [41])).attempts);
});

test('one bad event of a thousand is found in a few attempts', async () => {
  const { attempts } = await run(1_000, [512]);
  expect(attempts.length).toBeLessThan(25);
});

test('an error that is not final ends it', async () => {
  const steps = {
    attempt: () => Promise.reject(new Error('stopped')),
    bury: () => Promise.reject(new Error('must not be called')),
  };
  await expect(bisect({ first: 0, count: 4 }, steps)).rejects.toThrow('stopped');
});
