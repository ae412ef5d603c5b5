import type { Readable, Writable } from 'node:stream';
import { queue, type Queue } from './queue';

/** Messages read ahead of whoever takes them; beyond it HTTP/2 flow control holds the sender. */
const READ_AHEAD = 4;

/** The messages of a gRPC stream, in order, at the pace of their reader. */
export function incoming<T>(stream: Readable, onLeave: () => void): Queue<T> {
  let failure: { readonly error: unknown } | undefined;
  const messages = queue<T>({
    onTake() {
      if (messages.size() < READ_AHEAD && stream.isPaused()) stream.resume();
    },
    onLeave,
  });
  stream.on('data', (message: T) => {
    messages.push(message);
    if (messages.size() >= READ_AHEAD) stream.pause();
  });
  // The error of a status comes before messages that still wait; the end comes after them.
  stream.on('error', (error) => (failure ??= { error }));
  const over = (): void => (failure ? messages.fail(failure.error) : messages.end());
  stream.on('end', over);
  stream.on('close', over);
  return messages;
}

/** Writes messages, waiting whenever the other side is slow. Stops without an error when the signal aborts. */
export async function sendAll<T>(
  stream: Writable,
  messages: AsyncIterable<T>,
  signal: AbortSignal,
): Promise<void> {
  for await (const message of messages) {
    if (signal.aborted) return;
    if (!stream.write(message)) await drained(stream, signal);
  }
}

function drained(stream: Writable, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stream.off('drain', done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    stream.on('drain', done);
    signal.addEventListener('abort', done);
    if (signal.aborted) done();
  });
}
