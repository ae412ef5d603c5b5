/** Default of `yieldEveryMs`: health checks, keep-alives and TLS of this process wait no longer than this. */
const YIELD_EVERY_MS = 5;

/** How long work runs at a time, and whether it goes on. */
export interface PaceOptions {
  /** Longest time without giving way to the event loop, in milliseconds. Default 5. */
  readonly yieldEveryMs?: number;
  /** Ends the work: it rejects with its reason when it is its turn. */
  readonly signal?: AbortSignal | undefined;
}

/** Divides long work into turns of the event loop. */
export interface Pace {
  /** True once the current turn has lasted long enough. */
  readonly isDue: () => boolean;
  /** Lets everything else run; rejects with the signal's reason once it is aborted. */
  readonly giveWay: () => Promise<void>;
}

/** When the turn began that is under way, or the last one. */
let since = 0;
/** Settles when nobody is at work any more. */
let last: Promise<unknown> = Promise.resolve();

/**
 * Does long work when it is its turn: one piece of it after the other in this process, first come first served, and in each turn of
 * the event loop only so much of all of it.
 *
 * Were they to share their time, each of thirty bodies would take 5 ms of every turn of the loop, and a durable write, which needs
 * half a dozen turns, would take a second.
 */
export function inTurn<T>(options: PaceOptions, work: (pace: Pace) => Promise<T>): Promise<T> {
  const done = last.then(async () => {
    const pace = paceOf(options);
    if (pace.isDue()) await pace.giveWay();
    else options.signal?.throwIfAborted();
    return work(pace);
  });
  last = done.catch(() => undefined);
  return done;
}

function paceOf({ yieldEveryMs = YIELD_EVERY_MS, signal }: PaceOptions): Pace {
  return {
    isDue: () => performance.now() - since >= yieldEveryMs,
    giveWay: async () => {
      await new Promise((resolve) => setImmediate(resolve));
      since = performance.now();
      signal?.throwIfAborted();
    },
  };
}
