import type { IncomingMessage } from 'node:http';
import { Refusal, SenderGoneError } from './refusal';

/** How much of a body is read, and how long. */
export interface ReadLimits {
  /** Content-Length; undefined for a chunked body. */
  readonly length: number | undefined;
  /** Most bytes to hold in memory. */
  readonly maxBytes: number;
  readonly timeoutMs: number;
}

/** The bytes of a body that fitted, or its beginning: then the request is paused, and the rest unread. */
export interface ReadBody {
  readonly bytes: Buffer;
  readonly whole: boolean;
}

/**
 * Reads a body into one Buffer.
 *
 * @throws {Refusal} 408 if the sender is too slow.
 * @throws {SenderGoneError} if it goes away.
 */
export function readBody(req: IncomingMessage, limits: ReadLimits): Promise<ReadBody> {
  const { length, maxBytes, timeoutMs } = limits;
  // Not from the pool: a small slice must not pin 8 KB, and nothing has to be zeroed that is overwritten anyway.
  const known = length === undefined ? undefined : Buffer.allocUnsafeSlow(length);
  const chunks: Buffer[] = [];
  let size = 0;
  // Not by chunksOf: a body comes in dozens of pieces, and a promise and a timer for each cost more than the reading.
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      clearTimeout(timer);
      req.off('data', take).off('end', end).off('close', gone).off('error', gone);
    };
    const finish = (whole: boolean): void => {
      settle();
      resolve({ bytes: known ?? Buffer.concat(chunks), whole });
    };
    const take = (chunk: Buffer): void => {
      if (known) chunk.copy(known, size);
      else chunks.push(chunk);
      size += chunk.length;
      if (size <= maxBytes) return;
      req.pause();
      finish(false);
    };
    const end = (): void => finish(true);
    const gone = (): void => {
      settle();
      reject(senderGone());
    };
    const timer = setTimeout(() => {
      req.pause();
      settle();
      reject(tooSlow(timeoutMs));
    }, timeoutMs);
    if (req.readableEnded) end();
    // Also if all of it came: a request that is destroyed gives nothing, and tells of nothing any more.
    else if (req.destroyed) gone();
    else req.on('end', end).on('close', gone).on('error', gone).on('data', take);
  });
}

/**
 * The chunks of a body, as they come; nothing is read ahead of whoever iterates. Leaving early leaves the request
 * open, so that it can still be answered.
 *
 * @throws {Refusal} 408 if the whole body takes longer than `timeoutMs`.
 * @throws {SenderGoneError} if the sender goes away.
 */
export async function* chunksOf(
  req: IncomingMessage,
  timeoutMs: number,
): AsyncGenerator<Buffer, void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const chunk = req.read() as Buffer | null;
    if (chunk) yield chunk;
    else if (req.readableEnded || (req.complete && req.readableLength === 0)) return;
    else if (!(await readable(req, deadline - performance.now()))) throw tooSlow(timeoutMs);
  }
}

/** True as soon as there is something to read or the end is reached, false if that takes longer than `ms`. */
function readable(req: IncomingMessage, ms: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      clearTimeout(timer);
      req.off('readable', more).off('end', more).off('close', gone).off('error', gone);
    };
    const more = (): void => {
      settle();
      resolve(true);
    };
    const gone = (): void => {
      settle();
      reject(senderGone());
    };
    const timer = setTimeout(
      () => {
        settle();
        resolve(false);
      },
      Math.max(0, ms),
    );
    if (req.destroyed && !req.complete) {
      gone();
      return;
    }
    req.on('readable', more).on('end', more).on('close', gone).on('error', gone);
  });
}

function senderGone(): SenderGoneError {
  return new SenderGoneError('the sender closed the connection before its body was whole');
}

function tooSlow(timeoutMs: number): Refusal {
  return new Refusal(
    408,
    `the body did not arrive within ${timeoutMs / 1000} s; send it faster, or allow more by AUDITING_WEBHOOK_BODY_TIMEOUT`,
  );
}
