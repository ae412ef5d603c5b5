import { KEY_BYTES } from '@auditing/audit-event/event-key';

import type { SegmentKeys } from './sealed-keys';

const FIRST_CAPACITY = 1024;
const NO_ROWS: readonly number[] = [];

/**
 * Which of the eight words of a key picks its slot. Random for each process: whoever makes events whose keys are alike
 * in one word cannot know that it is this one.
 */
const SLOT_WORD = 4 * Math.floor(Math.random() * (KEY_BYTES / 4));

/**
 * Finds the row of an event by its key: a hash table with open addressing beside the keys themselves, about 44 bytes a
 * row. Rows are only added.
 */
export class KeyIndex implements SegmentKeys {
  readonly isExact = true;
  #keys: Buffer;
  /** 1 + row; 0 is free. Never more than half full. */
  #slots: Uint32Array;
  #rowCount = 0;

  /** `rowCount`: for how many rows there is room at first. */
  constructor(rowCount = FIRST_CAPACITY) {
    const capacity = capacityFor(rowCount);
    this.#keys = Buffer.alloc(capacity * KEY_BYTES);
    this.#slots = new Uint32Array(capacity * 2);
  }

  get bytes(): number {
    return this.#keys.length + this.#slots.byteLength;
  }

  /** Adds rows by their keys, back to back. */
  add(keys: Buffer): void {
    const count = keys.length / KEY_BYTES;
    this.#reserve(this.#rowCount + count);
    keys.copy(this.#keys, this.#rowCount * KEY_BYTES);
    for (let added = 0; added < count; added += 1) {
      this.#insert(this.#rowCount);
      this.#rowCount += 1;
    }
  }

  /** Adds a row by its key, which begins at `offset` of `keys`; false if there is one with this key. */
  addNew(keys: Buffer, offset: number): boolean {
    this.#reserve(this.#rowCount + 1);
    const slot = this.#slotOf(keys, offset);
    if (this.#slots[slot] !== 0) return false;
    const own = this.#keys;
    const start = this.#rowCount * KEY_BYTES;
    // Not by copy(), which makes a view of what it copies.
    for (let at = 0; at < KEY_BYTES; at += 1) own[start + at] = keys[offset + at] ?? 0;
    this.#rowCount += 1;
    this.#slots[slot] = this.#rowCount;
    return true;
  }

  candidates(keys: Buffer, offset = 0): readonly number[] {
    const entry = this.#slots[this.#slotOf(keys, offset)] ?? 0;
    return entry === 0 ? NO_ROWS : [entry - 1];
  }

  /** The keys of all rows, back to back, as a view. */
  keys(): Buffer {
    return this.#keys.subarray(0, this.#rowCount * KEY_BYTES);
  }

  /** The slot of the row that has a key, else the free one where it would go. */
  #slotOf(keys: Buffer, offset: number): number {
    const own = this.#keys;
    const slots = this.#slots;
    const mask = slots.length - 1;
    const word = keys.readUInt32LE(offset + SLOT_WORD);
    for (let slot = word & mask; ; slot = (slot + 1) & mask) {
      const entry = slots[slot] ?? 0;
      if (entry === 0) return slot;
      const at = (entry - 1) * KEY_BYTES;
      // Which is nearly always another key: native code is called for those alone that are alike in the word.
      if (own.readUInt32LE(at + SLOT_WORD) !== word) continue;
      if (keys.compare(own, at, at + KEY_BYTES, offset, offset + KEY_BYTES) === 0) return slot;
    }
  }

  #insert(row: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let slot = this.#keys.readUInt32LE(row * KEY_BYTES + SLOT_WORD) & mask;
    while (slots[slot] !== 0) slot = (slot + 1) & mask;
    slots[slot] = row + 1;
  }

  #reserve(rowCount: number): void {
    const capacity = this.#keys.length / KEY_BYTES;
    if (rowCount <= capacity) return;
    const wanted = capacityFor(rowCount);
    const keys = Buffer.alloc(wanted * KEY_BYTES);
    this.keys().copy(keys);
    this.#keys = keys;
    this.#slots = new Uint32Array(wanted * 2);
    for (let row = 0; row < this.#rowCount; row += 1) this.#insert(row);
  }
}

/** A power of 2, so that a mask picks the slot. */
function capacityFor(rowCount: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, rowCount)));
}
