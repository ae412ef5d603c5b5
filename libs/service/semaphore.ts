/** Lets at most so many work at once, first come first served. */
export interface Semaphore {
  /** Waits for a turn; rejects with the signal's reason when it aborts. */
  readonly take: (signal: AbortSignal) => Promise<void>;
  /** Gives the turn back. */
  readonly give: () => void;
}

/** A semaphore with all its turns free. */
export function semaphore(size: number): Semaphore {
  let free = size;
  const waiting: (() => void)[] = [];
  return {
    async take(signal) {
      signal.throwIfAborted();
      if (free > 0) {
        free -= 1;
        return;
      }
      await new Promise<void>((resolve, reject) => {
        const onTurn = (): void => {
          signal.removeEventListener('abort', onAbort);
          resolve();
        };
        const onAbort = (): void => {
          waiting.splice(waiting.indexOf(onTurn), 1);
          reject(signal.reason as Error);
        };
        waiting.push(onTurn);
        signal.addEventListener('abort', onAbort, { once: true });
      });
    },
    give() {
      const next = waiting.shift();
      if (next) next();
      else free += 1;
    },
  };
}
