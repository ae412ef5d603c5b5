import { orderedWindow, type WindowLimits } from './ordered-window';

const LIMITS: WindowLimits<number> = { count: 3, bytes: 100, bytesOf: (size) => size };
const never = new AbortController().signal;

async function* numbers(...values: number[]) {
  for (const value of values) {
    await Promise.resolve();
    yield value;
  }
}

/** Tasks that end when the test says so, in any order. */
class Tasks {
  readonly #ends = new Map<
    number,
    { resolve: (value: string) => void; reject: (error: Error) => void }
  >();

  readonly run = (item: number): Promise<string> =>
    new Promise((resolve, reject) => this.#ends.set(item, { resolve, reject }));

  get started(): number[] {
    return [...this.#ends.keys()];
  }

  end(...items: number[]): void {
    for (const item of items) this.#ends.get(item)?.resolve(`done ${item}`);
  }

  fail(item: number): void {
    this.#ends.get(item)?.reject(new Error(`failed ${item}`));
  }
}

function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

test('results come in the order of the items, all that are ready at once', async () => {
  const tasks = new Tasks();
  const steps = orderedWindow(
    { items: () => numbers(1, 2, 3), run: tasks.run, limits: LIMITS },
    never,
  );
  const first = steps.next();
  await settle();
  tasks.end(2, 3);
  await settle();
  tasks.end(1);
  expect((await first).value).toEqual([
    { item: 1, result: 'done 1' },
    { item: 2, result: 'done 2' },
    { item: 3, result: 'done 3' },
  ]);
  expect((await steps.next()).done).toBe(true);
});

test('no more items are under way than the window has places', async () => {
  const tasks = new Tasks();
  const steps = orderedWindow(
    { items: () => numbers(1, 2, 3, 4, 5), run: tasks.run, limits: LIMITS },
    never,
  );
  const first = steps.next();
  await settle();
  expect(tasks.started).toEqual([1, 2, 3]);
  tasks.end(1);
  await first;
  expect(tasks.started).toEqual([1, 2, 3]);
  const second = steps.next();
  await settle();
  expect(tasks.started).toEqual([1, 2, 3, 4]);
  tasks.end(3, 4);
  await settle();
  tasks.end(2);
  await second;
  const third = steps.next();
  await settle();
  tasks.end(5);
  expect((await third).value).toEqual([{ item: 5, result: 'done 5' }]);
  await steps.return(undefined);
});

test('bytes are bounded too, and an item larger than the bound goes alone', async () => {
  const tasks = new Tasks();
  const steps = orderedWindow(
    { items: () => numbers(60, 30, 20, 500), run: tasks.run, limits: LIMITS },
    never,
  );
  const first = steps.next();
  await settle();
  expect(tasks.started).toEqual([60, 30]);
  tasks.end(30);
  await settle();
  tasks.end(60);
  await first;
  const second = steps.next();
  await settle();
  expect(tasks.started).toEqual([60, 30, 20]);
  tasks.end(20);
  await second;
  const third = steps.next();
  await settle();
  expect(tasks.started).toEqual([60, 30, 20, 500]);
  tasks.end(500);
  await third;
  await steps.return(undefined);
});

test('a failure is thrown when its turn comes', async () => {
  const tasks = new Tasks();
  const steps = orderedWindow(
    { items: () => numbers(1, 2), run: tasks.run, limits: LIMITS },
    never,
  );
  const first = steps.next();
  await settle();
  tasks.fail(2);
  tasks.end(1);
  expect((await first).value).toEqual([{ item: 1, result: 'done 1' }]);
  await expect(steps.next()).rejects.toThrow('failed 2');
});

test('an error of the items is thrown after what was taken in', async () => {
  const tasks = new Tasks();
  const items = async function* () {
    yield* numbers(1);
    throw new Error('no more');
  };
  const steps = orderedWindow({ items, run: tasks.run, limits: LIMITS }, never);
  const first = steps.next();
  await settle();
  tasks.end(1);
  expect((await first).value).toHaveLength(1);
  await expect(steps.next()).rejects.toThrow('no more');
});

test('it ends without error when it is told to, after what is under way', async () => {
  const stopping = new AbortController();
  let ended = false;
  const run = async (_: number, signal: AbortSignal): Promise<void> => {
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    await settle();
    ended = true;
    throw new Error('aborted');
  };
  const steps = orderedWindow({ items: () => numbers(1), run, limits: LIMITS }, stopping.signal);
  const first = steps.next();
  await settle();
  stopping.abort();
  expect((await first).done).toBe(true);
  expect(ended).toBe(true);
});
