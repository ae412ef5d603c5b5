import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

/** Proxies close a connection on which nothing comes for a minute. */
const HEARTBEAT_MS = 15_000;

/**
 * Writes values as server-sent events, one JSON text each, as they come; the client's pace is the pace at which they
 * are taken. A comment at the beginning and now and then keeps the connection open.
 */
export function serverSentEvents<T>(
  values: AsyncIterable<T>,
  asJson: (value: T) => object,
  signal: AbortSignal,
): Readable {
  return Readable.from(write(values, asJson, signal), { objectMode: false });
}

async function* write<T>(
  values: AsyncIterable<T>,
  asJson: (value: T) => object,
  signal: AbortSignal,
): AsyncGenerator<string, void> {
  const iterator = values[Symbol.asyncIterator]();
  try {
    yield ': events follow as they are stored\n\n';
    let next = iterator.next();
    // Met below; until then it must not count as unhandled.
    next.catch(() => undefined);
    while (!signal.aborted) {
      const result = await orHeartbeat(next, signal);
      if (result === undefined) {
        yield ':\n\n';
        continue;
      }
      if (result.done === true) return;
      yield `data: ${JSON.stringify(asJson(result.value))}\n\n`;
      next = iterator.next();
      next.catch(() => undefined);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    await iterator.return?.();
  }
}

/** The next value; undefined if none came for a while. */
async function orHeartbeat<T>(
  next: Promise<IteratorResult<T>>,
  signal: AbortSignal,
): Promise<IteratorResult<T> | undefined> {
  const decided = new AbortController();
  const either = AbortSignal.any([signal, decided.signal]);
  const beat = sleep(HEARTBEAT_MS, undefined, { signal: either }).catch(() => undefined);
  try {
    return await Promise.race([next, beat]);
  } finally {
    decided.abort();
  }
}
