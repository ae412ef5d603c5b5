/** Most values that are remembered; what comes after begins anew. */
const MAX_VALUES = 2048;
/** Twice as many as values, so that most are found at once. */
const SLOT_MASK = 2 * MAX_VALUES - 1;
/** A value is found by its first and last bytes: all values of one column that begin and end alike are rare. */
const HASHED_BYTES = 8;
const WORD_BYTES = 4;
const PRIME = 0x01000193;
/** So many values with about the same hash are remembered: a sender that makes thousands of them must not cost more. */
const MAX_PROBES = 16;
const NO_SLOT = -1;
/** Caches that are kept for the next bodies: so many are read at once, turn about. */
const MAX_FREE = 4;
const FREE: ValueCache[] = [];

/** The body that is read, as bytes and by words. */
interface Body {
  readonly bytes: Buffer;
  readonly words: DataView;
}

/**
 * Where in a body the values of each column were met first, found again by their bytes: a text is made once for each
 * distinct value, not once for each event. Values are remembered with the quotes or brackets around them.
 */
export class ValueCache {
  /** One more than a place in the lists below; 0 is free. */
  readonly #slots = new Uint16Array(SLOT_MASK + 1);
  readonly #hashes = new Int32Array(MAX_VALUES);
  readonly #starts = new Int32Array(MAX_VALUES);
  readonly #lengths = new Int32Array(MAX_VALUES);
  readonly #columns = new Uint8Array(MAX_VALUES);
  readonly #places = new Int32Array(MAX_VALUES);
  /** Of each column, the value that was met last: what an event has in a field, the next one mostly has too. */
  readonly #last: Int32Array;
  /** True as long as every value that was added is remembered: what is not found was never met. */
  isWhole = true;
  #body: Buffer;
  #words: DataView;
  #count = 0;
  /** What was looked for last, and the slot where it was not. */
  #column = 0;
  #start = 0;
  #end = 0;
  #hash = 0;
  #slot = NO_SLOT;

  private constructor({ bytes, words }: Body, columnCount: number) {
    this.#body = bytes;
    this.#words = words;
    this.#last = new Int32Array(columnCount).fill(-1);
  }

  /** An empty one, for one body. Whoever is done with it gives it back by `release`. */
  static take(body: Body, columnCount: number): ValueCache {
    const free = FREE.at(-1);
    if (free === undefined || free.#last.length !== columnCount)
      return new ValueCache(body, columnCount);
    FREE.pop();
    free.#body = body.bytes;
    free.#words = body.words;
    free.#clear();
    return free;
  }

  /** Lets go of the body. Nothing is to be asked after it. */
  release(): void {
    this.#body = NO_BODY.bytes;
    this.#words = NO_BODY.words;
    if (FREE.length < MAX_FREE && !FREE.includes(this)) FREE.push(this);
  }

  /** The position after the value that begins at `start` if it is the one that was met last in this column; -1 if not. */
  repeatedEnd(column: number, start: number): number {
    const last = this.#last[column] ?? -1;
    if (last < 0) return -1;
    const end = start + (this.#lengths[last] ?? 0);
    return end <= this.#body.length && this.#isSame(last, start, end) ? end : -1;
  }

  /** The place of the value that was met last in this column. */
  lastPlace(column: number): number {
    return this.#places[this.#last[column] ?? 0] ?? -1;
  }

  /** The place that was remembered for these bytes in this column; -1 if there is none. */
  find(column: number, start: number, end: number): number {
    const hash = this.#hashOf(column, start, end);
    let slot = hash & SLOT_MASK;
    for (let probe = 0; probe < MAX_PROBES; probe++, slot = (slot + 1) & SLOT_MASK) {
      const entry = (this.#slots[slot] ?? 0) - 1;
      if (entry < 0) {
        this.#missed(column, start, end);
        this.#hash = hash;
        this.#slot = slot;
        return -1;
      }
      if (
        this.#hashes[entry] === hash &&
        this.#columns[entry] === column &&
        this.#lengths[entry] === end - start &&
        this.#isSame(entry, start, end)
      ) {
        this.#last[column] = entry;
        return this.#places[entry] ?? -1;
      }
    }
    this.#slot = NO_SLOT;
    return -1;
  }

  #missed(column: number, start: number, end: number): void {
    this.#column = column;
    this.#start = start;
    this.#end = end;
  }

  /** Remembers the place of the bytes that `find` did not find just now. */
  add(place: number): void {
    if (this.#slot === NO_SLOT) {
      this.isWhole = false;
      return;
    }
    if (this.#count === MAX_VALUES) {
      this.#clear();
      this.isWhole = false;
      this.#slot = this.#hash & SLOT_MASK;
    }
    const entry = this.#count++;
    this.#slots[this.#slot] = entry + 1;
    this.#hashes[entry] = this.#hash;
    this.#starts[entry] = this.#start;
    this.#lengths[entry] = this.#end - this.#start;
    this.#columns[entry] = this.#column;
    this.#places[entry] = place;
    this.#last[this.#column] = entry;
  }

  #clear(): void {
    this.#slots.fill(0);
    this.#last.fill(-1);
    this.#count = 0;
    this.isWhole = true;
  }

  /** Whether the bytes of an entry are those from `start` to `end`, which are as many. */
  #isSame(entry: number, start: number, end: number): boolean {
    const words = this.#words;
    const known = this.#starts[entry] ?? 0;
    const last = end - start - WORD_BYTES;
    if (last < 0) return this.#isSameShort(known, start, end);
    // The end first: names differ there.
    if (words.getInt32(known + last, true) !== words.getInt32(start + last, true)) return false;
    for (let at = 0; at < last; at += WORD_BYTES) {
      if (words.getInt32(known + at, true) !== words.getInt32(start + at, true)) return false;
    }
    return true;
  }

  #isSameShort(known: number, start: number, end: number): boolean {
    const body = this.#body;
    for (let at = start; at < end; at++) if (body[known + at - start] !== body[at]) return false;
    return true;
  }

  #hashOf(column: number, start: number, end: number): number {
    const words = this.#words;
    const length = end - start;
    let hash = Math.imul(length * 32 + column, PRIME);
    if (length < HASHED_BYTES) {
      const body = this.#body;
      for (let at = start; at < end; at++) hash = mixed(hash, body[at] ?? 0);
      return hash;
    }
    hash = mixed(hash, words.getInt32(start, true));
    hash = mixed(hash, words.getInt32(start + WORD_BYTES, true));
    hash = mixed(hash, words.getInt32(end - HASHED_BYTES, true));
    return mixed(hash, words.getInt32(end - WORD_BYTES, true));
  }
}

const NO_BODY: Body = { bytes: Buffer.of(), words: new DataView(new ArrayBuffer(0)) };

function mixed(hash: number, word: number): number {
  const product = Math.imul(hash ^ word, PRIME);
  // A slot is chosen by the low bits, to which the product brings nothing from above.
  return product ^ (product >>> 15);
}
