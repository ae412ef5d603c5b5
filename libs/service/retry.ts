import { isRetryable } from './rpc-error';
import { wait } from './wait';

/** How long to wait between tries. */
export interface Backoff {
  /** Upper bound of the first wait, in milliseconds; it doubles with each further one. */
  readonly initialMs: number;
  /** Upper bound of any wait, in milliseconds. */
  readonly maxMs: number;
}

/** For calls between the services: quick after a blip, gentle to one that is down for hours. */
export const DEFAULT_BACKOFF: Backoff = { initialMs: 100, maxMs: 10_000 };

/**
 * How long to wait after try number `attempt` (from 1): anything up to the doubled bound ("full jitter"), so that
 * many callers of a service that returns do not all come at once.
 */
export function backoffMs(attempt: number, backoff: Backoff, random = Math.random): number {
  return random() * Math.min(backoff.maxMs, backoff.initialMs * 2 ** (attempt - 1));
}

/** What `retry` is to do. */
export interface RetryOptions {
  /** Ends the waiting and the tries, with CANCELLED. */
  readonly signal: AbortSignal;
  readonly backoff?: Backoff;
  /** Total number of tries; without it there is no end but the signal. */
  readonly maxAttempts?: number;
  /** Told of each failed try that is followed by another: for logs and counters. */
  readonly onRetry?: (error: unknown, attempt: number) => void;
}

/** Runs a step until it succeeds or fails for good (`isRetryable`). Gives its value or its last error. */
export async function retry<T>(
  step: (attempt: number) => Promise<T>,
  options: RetryOptions,
): Promise<T> {
  const { signal, backoff = DEFAULT_BACKOFF, maxAttempts = Infinity } = options;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await step(attempt);
    } catch (error) {
      if (attempt >= maxAttempts || signal.aborted || !isRetryable(error)) throw error;
      options.onRetry?.(error, attempt);
      await wait(backoffMs(attempt, backoff), signal);
    }
  }
}
