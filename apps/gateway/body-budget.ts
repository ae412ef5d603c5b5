/** Thrown when there was no room within the time given. */
export class NoRoomError extends Error {
  override readonly name = 'NoRoomError';
}

/** Bytes taken from a budget; to be given back exactly once, further calls do nothing. */
export type Release = () => void;

interface Waiter {
  readonly bytes: number;
  readonly admit: (release: Release) => void;
}

/**
 * A budget of bytes that bodies in flight share. Whoever finds no room waits in line, its socket unread, so
 * that TCP holds the sender back; a body that waits is not overtaken by smaller ones.
 */
export class BodyBudget {
  #used = 0;
  readonly #waiting: Waiter[] = [];

  constructor(readonly limitBytes: number) {}

  /** Bytes taken and not given back. */
  get usedBytes(): number {
    return this.#used;
  }

  /** How many wait for room. */
  get waitingCount(): number {
    return this.#waiting.length;
  }

  /** Takes bytes now, or gives undefined if there is no room or somebody waits already. */
  tryTake(bytes: number): Release | undefined {
    if (this.#waiting.length > 0 || !this.#fits(bytes)) return undefined;
    return this.#take(bytes);
  }

  /**
   * Takes bytes, waiting for room until `signal` aborts.
   *
   * @throws {NoRoomError} if `signal` aborted first, or if the whole budget is smaller.
   */
  take(bytes: number, signal: AbortSignal): Promise<Release> {
    if (bytes > this.limitBytes) {
      return Promise.reject(
        new NoRoomError(`${bytes} bytes can never fit a budget of ${this.limitBytes} bytes`),
      );
    }
    const now = this.tryTake(bytes);
    if (now) return Promise.resolve(now);
    if (signal.aborted) return Promise.reject(this.#noRoom(bytes));
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        bytes,
        admit(release) {
          signal.removeEventListener('abort', giveUp);
          resolve(release);
        },
      };
      const giveUp = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        reject(this.#noRoom(bytes));
        // The next in line may be smaller than the one that left.
        this.#admitWaiting();
      };
      signal.addEventListener('abort', giveUp, { once: true });
      this.#waiting.push(waiter);
    });
  }

  #fits(bytes: number): boolean {
    return this.#used + bytes <= this.limitBytes;
  }

  #noRoom(bytes: number): NoRoomError {
    return new NoRoomError(
      `no room for ${bytes} bytes: ${this.#used} of ${this.limitBytes} bytes are in flight`,
    );
  }

  #take(bytes: number): Release {
    this.#used += bytes;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#used -= bytes;
      this.#admitWaiting();
    };
  }

  #admitWaiting(): void {
    for (let next = this.#waiting[0]; next && this.#fits(next.bytes); next = this.#waiting[0]) {
      this.#waiting.shift();
      next.admit(this.#take(next.bytes));
    }
  }
}
