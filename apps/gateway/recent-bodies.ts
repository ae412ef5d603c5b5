/** How many bodies are remembered: a hash and its entry cost about 200 bytes, so this is 13 MB at most. */
const MAX_COUNT = 65_536;

/**
 * How long a body is remembered. kube-apiserver gives a batch up after 98 s by default, and after 331 s if
 * every answer carries the longest Retry-After (measured); this leaves room for longer settings.
 */
const MAX_AGE_MS = 15 * 60_000;

/** How far a body has come that is not under way. */
export interface Taken {
  /** Events, from the first on, that lie in the spool. */
  readonly eventCount: number;
  /** True if those are all. */
  readonly whole: boolean;
}

interface Entry {
  at: number;
  taken: Taken;
  running: Promise<void> | undefined;
}

/** Limits of the memory; tests choose smaller ones. */
export interface RecentBodiesOptions {
  readonly maxCount?: number;
  readonly maxAgeMs?: number;
  /** Milliseconds that only grow. */
  readonly now?: () => number;
}

/**
 * The bodies of the last minutes, by the hash of their bytes. Senders repeat a body byte for byte when they saw
 * no answer or a bad one: what is in the spool already must not be written again.
 */
export class RecentBodies {
  readonly #entries = new Map<string, Entry>();
  readonly #maxCount: number;
  readonly #maxAgeMs: number;
  readonly #now: () => number;

  constructor(options: RecentBodiesOptions = {}) {
    this.#maxCount = options.maxCount ?? MAX_COUNT;
    this.#maxAgeMs = options.maxAgeMs ?? MAX_AGE_MS;
    this.#now = options.now ?? (() => performance.now());
  }

  get count(): number {
    return this.#entries.size;
  }

  /**
   * Runs `take` for a body, unless the same body is under way (then its outcome is shared) or taken (then nothing
   * is done). `take` is told how many events an earlier attempt left in the spool and reports what it adds by
   * `remember`. Resolves to true if somebody else did the work.
   */
  async once(hash: Buffer, take: (takenCount: number) => Promise<void>): Promise<boolean> {
    const key = hash.toString('latin1');
    this.#forgetOld();
    const known = this.#entries.get(key);
    if (known?.running) {
      await known.running;
      return true;
    }
    if (known?.taken.whole) return true;
    const entry = this.#touch(key);
    entry.running = take(entry.taken.eventCount).finally(() => {
      entry.running = undefined;
      // A body of which nothing was taken is like one never seen.
      if (entry.taken.eventCount === 0 && !entry.taken.whole) this.#entries.delete(key);
    });
    await entry.running;
    return false;
  }

  /** Notes what of a body lies in the spool by now. */
  remember(hash: Buffer, taken: Taken): void {
    this.#touch(hash.toString('latin1')).taken = taken;
    this.#forgetOld();
  }

  /** What of a body lies in the spool. */
  taken(hash: Buffer): Taken {
    return this.#entries.get(hash.toString('latin1'))?.taken ?? { eventCount: 0, whole: false };
  }

  /** The entry, moved to the end: the map is ordered by age. */
  #touch(key: string): Entry {
    const entry = this.#entries.get(key) ?? {
      at: 0,
      taken: { eventCount: 0, whole: false },
      running: undefined,
    };
    entry.at = this.#now();
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry;
  }

  #forgetOld(): void {
    const oldest = this.#now() - this.#maxAgeMs;
    for (const [key, entry] of this.#entries) {
      if (entry.at >= oldest && this.#entries.size <= this.#maxCount) return;
      // One under way stays: a second copy must find it. There are no more of them than bodies in flight.
      if (!entry.running) this.#entries.delete(key);
    }
  }
}
