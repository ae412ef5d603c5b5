/** When what waits leaves. */
export interface DepartureOptions {
  /** So long after the last ones left the next ones leave, in milliseconds. */
  readonly everyMs: number;
  /** So many leave before that, once they wait. */
  readonly most: number;
}

/**
 * Lets leave together what comes within a short while: each then finds the way warm, a socket, a sync of a disk and a turn of an
 * event loop serve several, here and on the other side. Who comes after a pause leaves at once.
 */
export class Departures {
  readonly #options: DepartureOptions;
  #leftAtMs = -Infinity;
  #waiting: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(options: DepartureOptions) {
    this.#options = options;
  }

  /** Undefined if it may leave now; otherwise resolves when it may. */
  turn(): Promise<void> | undefined {
    const { everyMs, most } = this.#options;
    const leftMs = this.#leftAtMs + everyMs - performance.now();
    if (leftMs <= 0 && this.#timer === undefined) {
      this.#leftAtMs = performance.now();
      return undefined;
    }
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#timer ??= setTimeout(() => this.#leave(), leftMs);
      if (this.#waiting.length >= most) this.#leave();
    });
  }

  #leave(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#leftAtMs = performance.now();
    const leaving = this.#waiting;
    this.#waiting = [];
    for (const leave of leaving) leave();
  }
}
