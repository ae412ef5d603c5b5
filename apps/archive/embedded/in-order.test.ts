import { inOrder } from './in-order';

async function* numbers(count: number, end?: Error): AsyncIterable<number> {
  for (let one = 0; one < count; one += 1) {
    await Promise.resolve();
    yield one;
  }
  if (end !== undefined) throw end;
}

test('outcomes come in the order of the items, whichever is ready first, and never too many at once', async () => {
  let running = 0;
  let most = 0;
  const outcomes: number[] = [];
  const work = async (item: number): Promise<number> => {
    running += 1;
    most = Math.max(most, running);
    // The later, the sooner.
    for (let turn = 0; turn < 20 - item; turn += 1) await new Promise(setImmediate);
    running -= 1;
    return item * 10;
  };
  for await (const outcome of inOrder(numbers(20), 4, work)) outcomes.push(outcome);
  expect(outcomes).toEqual(Array.from({ length: 20 }, (_, item) => item * 10));
  expect(most).toBe(4);
});

test('an error of the items comes after the outcomes of those before it', async () => {
  const outcomes: number[] = [];
  const read = async (): Promise<void> => {
    const all = inOrder(numbers(5, new Error('no more')), 3, (item) => Promise.resolve(item));
    for await (const outcome of all) outcomes.push(outcome);
  };
  await expect(read()).rejects.toThrow('no more');
  expect(outcomes).toEqual([0, 1, 2, 3, 4]);
});

test('an error of the work comes in its place, and the items are closed', async () => {
  let closed = false;
  async function* items(): AsyncIterable<number> {
    try {
      yield* numbers(100);
    } finally {
      closed = true;
    }
  }
  const outcomes: number[] = [];
  const read = async (): Promise<void> => {
    const work = (item: number): Promise<number> =>
      item === 2 ? Promise.reject(new Error('broken')) : Promise.resolve(item);
    for await (const outcome of inOrder(items(), 3, work)) outcomes.push(outcome);
  };
  await expect(read()).rejects.toThrow('broken');
  expect(outcomes).toEqual([0, 1]);
  expect(closed).toBe(true);
});
