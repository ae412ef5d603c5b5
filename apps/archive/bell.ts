/** Wakes all who wait for something to happen. */
export class Bell {
  #wake = new Set<() => void>();

  /** Resolves at the next ring, or when the signal aborts. */
  next(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted) {
        resolve();
        return;
      }
      const wake = (): void => {
        signal.removeEventListener('abort', wake);
        this.#wake.delete(wake);
        resolve();
      };
      signal.addEventListener('abort', wake);
      this.#wake.add(wake);
    });
  }

  ring(): void {
    for (const wake of [...this.#wake]) wake();
  }
}
