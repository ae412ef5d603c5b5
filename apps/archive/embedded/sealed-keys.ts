import { KEY_BYTES } from '@auditing/audit-event/event-key';

/** The keys of the rows of a segment. */
export interface SegmentKeys {
  /** True if a candidate has the very key; else the key of its record is to be compared. */
  readonly isExact: boolean;
  /** Rows that can have the key that begins at `offset` of `keys`; mostly none. */
  candidates(keys: Buffer, offset?: number): readonly number[];
}

/** So much of each key is kept: of 262,144 events two are alike in it once in half a billion segments. */
export const PREFIX_BYTES = 8;

/** Looking through all prefixes takes half a millisecond; a table is made when that was done so often. */
const LOOKUPS_BEFORE_TABLE = 16;

/**
 * Finds events of a sealed segment by their keys. It knows the beginnings of keys alone, which are random; whoever asks
 * compares the whole key with that of the record.
 */
export class SealedKeys implements SegmentKeys {
  readonly isExact = false;
  #table: Uint32Array | undefined;
  #lookupCount = 0;

  /** `prefixes`: the first bytes of the key of each row, back to back. */
  constructor(readonly prefixes: Buffer) {}

  get bytes(): number {
    // As if the table were made.
    return this.prefixes.length * 2;
  }

  candidates(keys: Buffer, offset = 0): readonly number[] {
    this.#lookupCount += 1;
    if (this.#lookupCount <= LOOKUPS_BEFORE_TABLE) return this.#lookedThrough(keys, offset);
    this.#table ??= this.#tabled();
    return this.#lookedUp(this.#table, keys, offset);
  }

  #lookedThrough(keys: Buffer, offset: number): readonly number[] {
    const wanted = keys.subarray(offset, offset + PREFIX_BYTES);
    const rows: number[] = [];
    for (
      let at = this.prefixes.indexOf(wanted);
      at !== -1;
      at = this.prefixes.indexOf(wanted, at + 1)
    ) {
      if (at % PREFIX_BYTES === 0) rows.push(at / PREFIX_BYTES);
    }
    return rows;
  }

  #lookedUp(table: Uint32Array, keys: Buffer, offset: number): readonly number[] {
    const mask = table.length - 1;
    const rows: number[] = [];
    for (let slot = keys.readUInt32LE(offset) & mask; ; slot = (slot + 1) & mask) {
      const entry = table[slot] ?? 0;
      if (entry === 0) return rows.sort((a, b) => a - b);
      const at = (entry - 1) * PREFIX_BYTES;
      if (keys.compare(this.prefixes, at, at + PREFIX_BYTES, offset, offset + PREFIX_BYTES) === 0)
        rows.push(entry - 1);
    }
  }

  /** 1 + row by the beginning of the prefix; 0 is free. At most half full. */
  #tabled(): Uint32Array {
    const rowCount = this.prefixes.length / PREFIX_BYTES;
    const table = new Uint32Array(2 ** Math.ceil(Math.log2(Math.max(2, 2 * rowCount + 1))));
    const mask = table.length - 1;
    for (let row = 0; row < rowCount; row += 1) {
      let slot = this.prefixes.readUInt32LE(row * PREFIX_BYTES) & mask;
      while (table[slot] !== 0) slot = (slot + 1) & mask;
      table[slot] = row + 1;
    }
    return table;
  }
}

/** The beginnings of keys that lie back to back. */
export function prefixesOf(keys: Buffer): Buffer {
  const rowCount = keys.length / KEY_BYTES;
  const prefixes = Buffer.allocUnsafe(rowCount * PREFIX_BYTES);
  for (let row = 0; row < rowCount; row += 1) {
    // Not by copy(), which makes a view of what it copies.
    for (let at = 0; at < PREFIX_BYTES; at += 1)
      prefixes[row * PREFIX_BYTES + at] = keys[row * KEY_BYTES + at] ?? 0;
  }
  return prefixes;
}
