/** Default of `yieldEveryMs`: health checks, keep-alives and TLS of this process wait no longer than this. */
const YIELD_EVERY_MS = 5;

/** Divides long work into turns of the event loop. */
export interface Pace {
  /** True once the current turn has lasted long enough. */
  readonly isDue: () => boolean;
  /** Lets everything else run; rejects with the signal's reason once it is aborted. */
  readonly giveWay: () => Promise<void>;
}

/** Begins a turn. */
export function startPace(options: {
  readonly yieldEveryMs?: number;
  readonly signal?: AbortSignal;
}): Pace {
  const { yieldEveryMs = YIELD_EVERY_MS, signal } = options;
  signal?.throwIfAborted();
  let since = performance.now();
  return {
    isDue: () => performance.now() - since >= yieldEveryMs,
    giveWay: async () => {
      await new Promise((resolve) => setImmediate(resolve));
      signal?.throwIfAborted();
      since = performance.now();
    },
  };
}
