import { BYTE } from './json-bytes';
import { isSameAt } from './json-words';

/** Where a value lies in the body. */
interface Range {
  readonly start: number;
  readonly end: number;
}

/** Most values that are remembered; what comes after begins anew. */
const MAX_VALUES = 2048;
/** A value is found by its first and last bytes: all values of one column that begin and end alike are rare. */
const HASHED_BYTES = 8;
const PRIME = 0x01000193;
/** So many values with about the same hash are remembered: a sender that makes thousands of them must not cost more. */
const MAX_PROBES = 16;

/**
 * Where in a body the values of each column were met first, found again by their bytes: a text is made once for each
 * distinct value, not once for each event.
 */
export class ValueCache {
  /** One more than a place in the lists below; 0 is free. */
  readonly #slots: Uint16Array;
  readonly #hashes: Int32Array;
  readonly #starts: Int32Array;
  readonly #lengths: Int32Array;
  readonly #columns: Uint8Array;
  readonly #places: Int32Array;
  /** Of each column, the value that was met last: what an event has in a field, the next one mostly has too. */
  readonly #last: Int32Array;
  readonly #body: Buffer;
  readonly #words: DataView;
  #count = 0;

  constructor(body: Buffer, words: DataView, columnCount: number) {
    const most = Math.min(MAX_VALUES, 1 << (32 - Math.clz32(Math.max(64, body.length / 128))));
    this.#body = body;
    this.#words = words;
    this.#slots = new Uint16Array(2 * most);
    this.#hashes = new Int32Array(most);
    this.#starts = new Int32Array(most);
    this.#lengths = new Int32Array(most);
    this.#columns = new Uint8Array(most);
    this.#places = new Int32Array(most);
    this.#last = new Int32Array(columnCount).fill(-1);
  }

  /** The place of the text that was met last in this column if the same begins at `start`, quote included; -1 if not. */
  repeatedAt(column: number, start: number): number {
    const last = this.#last[column] ?? -1;
    if (last < 0) return -1;
    const end = start + (this.#lengths[last] ?? 0);
    const isSame = this.#body[end] === BYTE.quote && this.#isSame(last, start, end);
    return isSame ? (this.#places[last] ?? -1) : -1;
  }

  /** Bytes of the value that was met last in this column. */
  lastLength(column: number): number {
    return this.#lengths[this.#last[column] ?? 0] ?? 0;
  }

  /** The place that was remembered for these bytes in this column; -1 if there is none. */
  find(column: number, start: number, end: number): number {
    const hash = this.#hash(column, start, end);
    const mask = this.#slots.length - 1;
    for (let probe = 0, slot = hash & mask; probe < MAX_PROBES; probe++, slot = (slot + 1) & mask) {
      const entry = (this.#slots[slot] ?? 0) - 1;
      if (entry < 0) return -1;
      if (
        this.#hashes[entry] === hash &&
        this.#columns[entry] === column &&
        this.#isSame(entry, start, end)
      ) {
        this.#last[column] = entry;
        return this.#places[entry] ?? -1;
      }
    }
    return -1;
  }

  /** Remembers the place of bytes that were not found. */
  add(column: number, { start, end }: Range, place: number): void {
    if (this.#count === this.#places.length) {
      this.#slots.fill(0);
      this.#last.fill(-1);
      this.#count = 0;
    }
    const hash = this.#hash(column, start, end);
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    for (let probe = 0; this.#slots[slot] !== 0; probe++, slot = (slot + 1) & mask) {
      if (probe === MAX_PROBES) return;
    }
    const entry = this.#count++;
    this.#slots[slot] = entry + 1;
    this.#hashes[entry] = hash;
    this.#starts[entry] = start;
    this.#lengths[entry] = end - start;
    this.#columns[entry] = column;
    this.#places[entry] = place;
    this.#last[column] = entry;
  }

  #isSame(entry: number, start: number, end: number): boolean {
    const length = end - start;
    if (this.#lengths[entry] !== length) return false;
    return isSameAt(this.#words, this.#starts[entry] ?? 0, start, length);
  }

  #hash(column: number, start: number, end: number): number {
    const body = this.#body;
    let hash = Math.imul((end - start) * 32 + column, PRIME);
    const head = Math.min(end, start + HASHED_BYTES);
    for (let at = start; at < head; at++) hash = Math.imul(hash ^ (body[at] ?? 0), PRIME);
    for (let at = Math.max(head, end - HASHED_BYTES); at < end; at++) {
      hash = Math.imul(hash ^ (body[at] ?? 0), PRIME);
    }
    return hash ^ (hash >>> 15);
  }
}
