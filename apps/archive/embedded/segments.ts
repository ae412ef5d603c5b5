import type { Checkpoint } from './checkpoint';
import { saveIndex } from './saved-index';
import type { IndexedSegment, SegmentIndex } from './segment-index';
import {
  SealedSegment,
  type InTurn,
  type RebuiltIndex,
  type SegmentPlace,
  type SidecarStore,
} from './sealed-segment';

interface Entry {
  readonly start: number;
  /** The index in memory, until the sidecar is written. */
  readonly sealing?: IndexedSegment;
  readonly sealed: () => Promise<SealedSegment>;
}

/** All segments of the archive: the sealed ones, and the one that is written to. */
export class Segments {
  #entries: Entry[] = [];
  /** Sidecars are made one after the other: each takes memory, and the disk is needed for appends. */
  #making: Promise<unknown> = Promise.resolve();
  /** How much of which segment was saved last. */
  #saved: { readonly start: number; readonly rowCount: number };

  constructor(
    readonly store: SidecarStore,
    public current: SegmentIndex,
    /** How many rows of the current segment are in its saved index. */
    savedRowCount: number,
  ) {
    this.#saved = { start: current.start, rowCount: savedRowCount };
  }

  /** Adds a segment that had ended before the archive was opened. In order of their starts. */
  addSealed(place: SegmentPlace): void {
    const inTurn: InTurn = (make) => this.#inTurn(make);
    const open = (): Promise<SealedSegment> => SealedSegment.open(this.store, place, inTurn);
    const sealed = onceThatSucceeds(open);
    this.#entries.push({ start: place.start, sealed });
    // Begun at once; whoever needs the segment gets the error, or tries again.
    sealed().catch(() => undefined);
  }

  /**
   * Seals the current segment and goes on with another. Resolves when the sidecar before this one is done: that is all
   * that may be in memory besides.
   */
  async seal(place: SegmentPlace, index: RebuiltIndex, next: SegmentIndex): Promise<void> {
    const before = this.#making;
    const sealing = index.index.snapshot();
    const sealed = this.#inTurn(() => SealedSegment.seal(this.store, place, index));
    const entry: Entry = { ...sealedEntry(place.start, sealed), sealing };
    this.#entries.push(entry);
    this.current = next;
    sealed.then(
      () => {
        const at = this.#entries.indexOf(entry);
        if (at !== -1) this.#entries[at] = sealedEntry(place.start, sealed);
      },
      // It goes on being answered from memory.
      (err: unknown) =>
        this.store.onTrouble('sidecar could not be made', { segment: place.start, err }),
    );
    await before;
  }

  /** The archive as it is now, in the order of the log. Waits for sidecars that are made anew. */
  async snapshot(): Promise<readonly IndexedSegment[]> {
    const current = this.current.snapshot();
    const others = await Promise.all(
      this.#entries.map(async ({ sealing, sealed }) => sealing ?? (await sealed())),
    );
    return [...others, current];
  }

  /** All segments but the current one, oldest first, when their sidecars are done. */
  sealed(): Promise<readonly SealedSegment[]> {
    return Promise.all(this.#entries.map(({ sealed }) => sealed()));
  }

  /** Forgets the segments before a position of the log. */
  dropBefore(position: number): void {
    this.#entries = this.#entries.filter(({ start }) => start >= position);
  }

  /** Rows of the current segment that a crash would have to index again. */
  get unsavedRowCount(): number {
    return (
      this.current.rowCount - (this.#saved.start === this.current.start ? this.#saved.rowCount : 0)
    );
  }

  /** Saves the index of the current segment when it is its turn; `head` tells of the log up to the rows that are in it then. */
  async save(head: () => Checkpoint | undefined): Promise<void> {
    // Also if it fails: the next try is after as many rows.
    this.#saved = { start: this.current.start, rowCount: this.current.rowCount };
    await this.#inTurn(async () => {
      const index = this.current;
      const at = head();
      if (at?.segmentStart !== index.start || index.rowCount === 0) return;
      await saveIndex(this.store, index, { end: at.position, hash: at.hash });
    }).catch((err: unknown) =>
      this.store.onTrouble('index could not be saved', { segment: this.current.start, err }),
    );
  }

  /** Resolves when no sidecar is being made, nor is to be: a segment that is being opened may lack one. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#entries.map(({ sealed }) => sealed()));
    await this.#making;
  }

  #inTurn<T>(make: () => Promise<T>): Promise<T> {
    const made = this.#making.then(make);
    this.#making = made.catch(() => undefined);
    return made;
  }
}

/** Apart, for a function made in `seal` would hold on to all that lives there: the index that was in memory, 50 MB. */
function sealedEntry(start: number, sealed: Promise<SealedSegment>): Entry {
  return { start, sealed: () => sealed };
}

/** Does the work at the first call; every later one gets the same outcome, unless that was an error. */
function onceThatSucceeds<T>(work: () => Promise<T>): () => Promise<T> {
  let done: Promise<T> | undefined;
  return () => {
    done ??= work().catch((error: unknown) => {
      done = undefined;
      throw error;
    });
    return done;
  };
}
