import type { Journal, JournalRecord } from '@auditing/journal/journal';

/** What lies in the journal, read. */
export interface Written {
  readonly position: number;
  /** Position of what was written after it. */
  readonly next: number;
}

/** How a journal is followed. */
export interface FollowedJournalOptions<Entry> {
  readonly journal: Journal;
  /** Reads an entry out of its record, and says about how many bytes of memory it takes. */
  readonly decode: (record: JournalRecord) => { readonly entry: Entry; readonly bytes: number };
  /** Most bytes of memory for entries. */
  readonly memoryBytes: number;
  /** Milliseconds of a clock that only goes on; that of the process unless a test gives another. */
  readonly now?: () => number;
}

/** Readers that have let go of nothing for so long are taken to stand still. */
const STANDSTILL_MS = 500;

/**
 * Share of the memory from which on writers are held up: by default a handful of batches, as many as are always on their way.
 * More of them outlive two collections of young objects, and then cost V8 several times as much to get rid of: a fifth of all
 * that was allocated at a quarter of the memory, a hundredth at this.
 */
const CROWDED = 1 / 16;

/** An entry in memory. */
interface Held<Entry> {
  /** Undefined once it has been let go of. */
  entry: Entry | undefined;
  readonly bytes: number;
}

/**
 * A journal whose entries are kept in memory as well until all are done with them: whoever keeps up with it reads nothing back
 * from disk and decodes nothing.
 *
 * When they become too many, those are let go of that will be needed last, for all that read go forward. An entry that somebody
 * reads back is kept again, for the others who come after: what has fallen behind is decoded once more, not once more by each.
 */
export class FollowedJournal<Entry extends Written> {
  readonly #held = new Map<number, Held<Entry>>();
  /** Their positions, ascending: of small bodies there are many thousands. */
  readonly #positions: number[] = [];
  readonly #wake = new Set<() => void>();
  /** Of those who wait for room. */
  readonly #wakeWaiting = new Set<() => void>();
  readonly #options: FollowedJournalOptions<Entry>;
  #heldBytes = 0;
  /** When something was let go of the last time. */
  #releasedAt = -Infinity;

  constructor(options: FollowedJournalOptions<Entry>) {
    this.#options = options;
  }

  /** Keeps an entry that has just been written, at about so many bytes of memory, and tells all that follow. */
  add(entry: Entry, bytes: number): void {
    this.#hold(entry, bytes);
    for (const wake of this.#wake) wake();
  }

  /** Lets go of what lies before `position`. It can still be read from disk, until it is trimmed. */
  release(position: number): void {
    const before = this.#placeOf(position);
    if (before > 0) this.#releasedAt = this.#now();
    for (const at of this.#positions.splice(0, before)) this.#forget(at);
    for (const wake of this.#wakeWaiting) wake();
  }

  /**
   * Resolves once the entries take a sixteenth of their memory at most: who writes faster than others read is held up a
   * little, which costs less than to read back from disk what fell out of memory. It waits `ms` at most, and not at all for
   * readers that have come to a standstill: they need no memory.
   */
  async room(ms: number): Promise<void> {
    const isCrowded = (): boolean => this.#heldBytes > this.#options.memoryBytes * CROWDED;
    const until = this.#now() + ms;
    while (isCrowded() && this.#now() - this.#releasedAt < STANDSTILL_MS) {
      const leftMs = until - this.#now();
      if (leftMs <= 0) return;
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          clearTimeout(timer);
          this.#wakeWaiting.delete(wake);
          resolve();
        };
        const timer = setTimeout(wake, leftMs);
        this.#wakeWaiting.add(wake);
      });
    }
  }

  /**
   * Entries from a position on, strictly in order, waiting for more until `signal` aborts (then it ends without error).
   * Any number of readers may iterate at once.
   *
   * @throws {JournalCorruptError} at a record that cannot be read; its `next` is where reading can go on.
   */
  async *follow(from: number, signal: AbortSignal): AsyncGenerator<Entry, void> {
    const { journal } = this.#options;
    let position = Math.max(journal.start, Math.min(from, journal.end));
    const aborted = (): boolean => signal.aborted;
    while (!aborted()) {
      const held = this.#at(position);
      if (held) {
        yield held;
        position = held.next;
        continue;
      }
      const { end } = journal;
      const before = position;
      // Without the signal: a read that is cut short would look like the end.
      for await (const record of journal.read(position)) {
        yield this.#at(record.position) ?? this.#readBack(record);
        position = record.next;
        if (aborted() || this.#at(position)) break;
      }
      if (position === before) await this.#moreThan(end, signal);
    }
  }

  #now(): number {
    return this.#options.now?.() ?? performance.now();
  }

  #at(position: number): Entry | undefined {
    return this.#held.get(position)?.entry;
  }

  #readBack(record: JournalRecord): Entry {
    const { entry, bytes } = this.#options.decode(record);
    this.#hold(entry, bytes);
    return entry;
  }

  #hold(entry: Entry, bytes: number): void {
    const { position } = entry;
    // Somebody may have read it back before it was added here.
    if (this.#held.has(position)) this.#forget(position);
    else this.#positions.splice(this.#placeOf(position), 0, position);
    this.#held.set(position, { entry, bytes });
    this.#heldBytes += bytes;
    while (this.#heldBytes > this.#options.memoryBytes) {
      const last = this.#positions.pop();
      if (last === undefined) return;
      this.#forget(last);
    }
  }

  /** How many entries lie before a position. Mostly all of them, or none. */
  #placeOf(position: number): number {
    const positions = this.#positions;
    let low = 0;
    let high = positions.length;
    if (high > 0 && (positions[high - 1] ?? 0) < position) return high;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((positions[middle] ?? 0) < position) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #forget(position: number): void {
    const held = this.#held.get(position);
    if (!held) return;
    // A Map makes itself a new table now and then. The old ones keep what was in them, and each the one after it: to the
    // collector of young objects, once one of them has grown old, nothing that was ever here would be garbage.
    held.entry = undefined;
    this.#heldBytes -= held.bytes;
    this.#held.delete(position);
  }

  /** Resolves once the durable end lies beyond `end`, or the signal aborts. */
  async #moreThan(end: number, signal: AbortSignal): Promise<void> {
    while (this.#options.journal.end <= end && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.#wake.delete(wake);
          signal.removeEventListener('abort', wake);
          resolve();
        };
        this.#wake.add(wake);
        signal.addEventListener('abort', wake, { once: true });
      });
    }
  }
}
