import { status } from '@grpc/grpc-js';

import { QueryTurns, type TurnsOfConnection } from './query-turns';
import { never } from './testing/engines';

test('a few queries run at once, some wait, the rest are refused and told so', async () => {
  const turns = new QueryTurns().of(undefined);
  let running = 0;
  let most = 0;
  let end: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => (end = resolve));
  const queries = Array.from({ length: 80 }, () =>
    turns.run(never, async () => {
      running += 1;
      most = Math.max(most, running);
      await ended;
      running -= 1;
    }),
  );
  const settled = Promise.allSettled(queries);
  await new Promise(setImmediate);
  expect(running).toBe(8);
  end();
  const refused = (await settled).flatMap((one) =>
    one.status === 'rejected' ? [one.reason as unknown] : [],
  );
  expect(refused).toHaveLength(8);
  expect(String(refused[0])).toMatch(/ask again later/);
  expect(most).toBe(8);
  await expect(turns.run(never, () => Promise.resolve(1))).resolves.toBe(1);
});

async function* endless(): AsyncIterable<number> {
  for (let number = 0; ; number += 1) yield await Promise.resolve(number);
}

/** Streams whose first message was read, and no other. */
async function unread(
  stream: TurnsOfConnection['stream'],
  count: number,
): Promise<AsyncIterator<number>[]> {
  const streams = Array.from({ length: count }, () =>
    stream(never, endless)[Symbol.asyncIterator](),
  );
  for (const one of streams) expect(await one.next()).toEqual({ done: false, value: 0 });
  return streams;
}

test('streams that nobody reads keep no turn, and those that are left early are forgotten', async () => {
  const turns = new QueryTurns().of('client');
  for (let round = 0; round < 100; round += 1) {
    for await (const number of turns.stream(never, endless)) if (number === 2) break;
  }
  const [first, ...others] = await unread(turns.stream, 48);
  await expect(turns.run(never, () => Promise.resolve())).rejects.toMatchObject({
    code: status.RESOURCE_EXHAUSTED,
  });
  await first?.return?.();
  await expect(turns.run(never, () => Promise.resolve(1))).resolves.toBe(1);
  for (const stream of others) expect(await stream.next()).toEqual({ done: false, value: 1 });
});

test('a connection that is full leaves room for others, and all together have a limit', async () => {
  const turns = new QueryTurns();
  await unread(turns.of('one').stream, 48);
  await expect(unread(turns.of('one').stream, 1)).rejects.toThrow('of this connection');
  await unread(turns.of('two').stream, 24);
  await expect(unread(turns.of('three').stream, 1)).rejects.toThrow('72 queries');
  await expect(turns.of(undefined).run(never, () => Promise.resolve())).rejects.toThrow(
    '72 queries',
  );
});

test('one deep search is open at a time, and few facets count', async () => {
  const turns = new QueryTurns().of('client');
  const [deep] = await unread(turns.streamDeep, 1);
  await expect(unread(turns.streamDeep, 1)).rejects.toThrow('a large offset');
  await unread(turns.stream, 1);
  await deep?.return?.();
  await unread(turns.streamDeep, 1);
  let counting = 0;
  const facets = Array.from({ length: 10 }, () =>
    turns.runFacets(never, async () => {
      counting += 1;
      expect(counting).toBeLessThanOrEqual(2);
      await new Promise(setImmediate);
      counting -= 1;
    }),
  );
  await expect(Promise.all(facets)).resolves.toHaveLength(10);
});

test('whoever gives up waiting is forgotten, and a query that fails gives its turn back', async () => {
  const turns = new QueryTurns().of('client');
  let end: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => (end = resolve));
  const running = Array.from({ length: 8 }, () => turns.run(never, () => ended));
  const gone = new AbortController();
  const waiting = turns.run(gone.signal, () => Promise.resolve());
  gone.abort();
  await expect(waiting).rejects.toThrow(/abort/);
  end();
  await Promise.all(running);
  for (let round = 0; round < 100; round += 1)
    await expect(turns.run(never, () => Promise.reject(new Error('broken')))).rejects.toThrow(
      'broken',
    );
  await expect(turns.run(never, () => Promise.resolve(2))).resolves.toBe(2);
});
