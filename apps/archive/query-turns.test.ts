import { QueryTurns } from './query-turns';
import { never } from './testing/engines';

test('a few queries run at once, some wait, the rest are refused and told so', async () => {
  const turns = new QueryTurns();
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

test('a stream that is left early gives its turn back, and so does a caller that gives up waiting', async () => {
  const turns = new QueryTurns();
  const endless = async function* (): AsyncIterable<number> {
    for (let number = 0; ; number += 1) yield await Promise.resolve(number);
  };
  for (let round = 0; round < 20; round += 1) {
    for await (const number of turns.stream(never, endless)) if (number === 2) break;
  }
  const streams = Array.from({ length: 8 }, () =>
    turns.stream(never, endless)[Symbol.asyncIterator](),
  );
  await Promise.all(streams.map((stream) => stream.next()));
  const gone = new AbortController();
  const waiting = turns.run(gone.signal, () => Promise.resolve());
  gone.abort();
  await expect(waiting).rejects.toThrow(/abort/);
  await streams[0]?.return?.();
  await expect(turns.run(never, () => Promise.resolve(2))).resolves.toBe(2);
});
