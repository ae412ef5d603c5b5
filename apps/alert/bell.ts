import { cancelled } from '@auditing/service/wait';

/** Wakes those who wait for something to do. */
export class Bell {
  #ringers = new Set<() => void>();

  /** Wakes everybody who waits now. */
  ring(): void {
    const ringers = this.#ringers;
    this.#ringers = new Set();
    for (const ring of ringers) ring();
  }

  /** Resolves at the next ring, or after `maxMs`; rejects with CANCELLED if the signal aborts. */
  heard(maxMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(cancelled());
        return;
      }
      const leave = (): void => {
        clearTimeout(timer);
        this.#ringers.delete(ring);
        signal.removeEventListener('abort', onAbort);
      };
      const ring = (): void => {
        leave();
        resolve();
      };
      const onAbort = (): void => {
        leave();
        reject(cancelled());
      };
      const timer = setTimeout(ring, maxMs);
      this.#ringers.add(ring);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }
}
