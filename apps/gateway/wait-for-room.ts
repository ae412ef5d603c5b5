import type { IncomingMessage } from 'node:http';
import { NoRoomError, type BodyBudget, type Release } from './body-budget';
import { Refusal, SenderGoneError } from './refusal';

/** For what, how long, and what then. */
export interface Room {
  readonly bytes: number;
  readonly waitMs: number;
  /** Told to the sender if there was no room, in seconds. */
  readonly retryAfterS: number;
}

/**
 * Takes room from a budget, waiting for it with the request unread: TCP holds the sender back meanwhile.
 *
 * @throws {Refusal} 429 if there was none in time.
 * @throws {SenderGoneError} if the sender goes away first.
 */
export async function waitForRoom(
  req: IncomingMessage,
  budget: BodyBudget,
  { bytes, waitMs, retryAfterS }: Room,
): Promise<Release> {
  const now = budget.tryTake(bytes);
  if (now) return now;
  const waiting = new AbortController();
  const stop = (): void => waiting.abort();
  const timer = setTimeout(stop, waitMs);
  req.once('close', stop);
  try {
    return await budget.take(bytes, waiting.signal);
  } catch (error) {
    if (!(error instanceof NoRoomError)) throw error;
    if (req.destroyed) throw new SenderGoneError('the sender went away while it waited for room');
    throw new Refusal(429, `busy with other bodies: ${error.message}; send again later`, {
      retryAfterS,
      cause: error,
    });
  } finally {
    clearTimeout(timer);
    req.off('close', stop);
  }
}
