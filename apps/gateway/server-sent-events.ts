import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { asApiError } from './api-error';

/** Proxies close a connection on which nothing comes for a minute. */
const HEARTBEAT_MS = 15_000;

/** One server-sent event. */
export interface ServerSentEvent {
  /** Sent back by a client that comes again, as Last-Event-ID. */
  readonly id?: string;
  /** Its kind; `message` without it. */
  readonly event?: string;
  readonly data: object;
}

/**
 * Writes values as server-sent events, one JSON text each, as they come; the client's pace is the pace at which they
 * are taken. A comment at the beginning and now and then keeps the connection open. An error that is meant to be seen
 * comes as the event `problem`, and is the last.
 */
export function serverSentEvents<T>(
  values: AsyncIterable<T>,
  asEvent: (value: T) => ServerSentEvent,
  signal: AbortSignal,
): Readable {
  return Readable.from(write(values, asEvent, signal), { objectMode: false });
}

async function* write<T>(
  values: AsyncIterable<T>,
  asEvent: (value: T) => ServerSentEvent,
  signal: AbortSignal,
): AsyncGenerator<string, void> {
  const iterator = values[Symbol.asyncIterator]();
  try {
    yield ': what follows comes as it happens\n\n';
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
      yield eventText(asEvent(result.value));
      next = iterator.next();
      next.catch(() => undefined);
    }
  } catch (error) {
    if (signal.aborted) return;
    const known = asApiError(error);
    if (known === undefined) throw error;
    yield eventText({ event: 'problem', data: { error: known.message, status: known.status } });
  } finally {
    await iterator.return?.();
  }
}

function eventText({ id, event, data }: ServerSentEvent): string {
  const lines = [
    ...(id ? [`id: ${id}`] : []),
    ...(event === undefined ? [] : [`event: ${event}`]),
    `data: ${JSON.stringify(data)}`,
  ];
  return `${lines.join('\n')}\n\n`;
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
