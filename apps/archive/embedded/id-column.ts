import type { Column } from '@auditing/proto/event';

import { copyCodes, type RowColumn, type Values } from './column';

/** A UUID in binary. */
const ID_BYTES = 16;
const UUID_LENGTH = 36;
const DASHES = [8, 13, 18, 23];
/** Where the two digits of each byte stand. */
const DIGITS = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
/** The value of each digit, by its character; -1, which no shift and no other digit makes positive, if it is none. */
const DIGIT_VALUES = Int8Array.from({ length: 128 }, (_, character) =>
  '0123456789abcdef'.indexOf(String.fromCharCode(character)),
);
const FIRST_CAPACITY = 1024;
const DASH = 0x2d;

/**
 * Ids of events: nearly every row has another one, nearly all are UUIDs. They lie here in binary, back to back, and are not
 * looked up when one is added: a table of them would take ten times as much. Other texts are kept as they are.
 */
export class Ids implements Values {
  #binary: Buffer;
  #length: number;
  readonly #others: Map<number, string>;

  constructor(binary: Buffer = Buffer.alloc(0), others: Iterable<readonly [number, string]> = []) {
    this.#binary = binary;
    this.#length = binary.length / ID_BYTES;
    this.#others = new Map(others);
  }

  get length(): number {
    return this.#length;
  }

  /** The ids in binary; zeros where a text is none. A view. */
  get binary(): Buffer {
    return this.#binary.subarray(0, this.#length * ID_BYTES);
  }

  /** Texts that are no UUIDs, by their place. */
  get others(): ReadonlyMap<number, string> {
    return this.#others;
  }

  get bytes(): number {
    return this.#binary.length + 128 * this.#others.size;
  }

  add(value: string): void {
    const at = this.#length * ID_BYTES;
    if (at === this.#binary.length) {
      const wider = Buffer.alloc(Math.max(FIRST_CAPACITY * ID_BYTES, at * 2));
      this.binary.copy(wider);
      this.#binary = wider;
    }
    if (!writeUuid(value, this.#binary, at)) this.#others.set(this.#length, value);
    this.#length += 1;
  }

  at(index: number): string | undefined {
    if (index < 0 || index >= this.#length) return undefined;
    const other = this.#others.get(index);
    if (other !== undefined) return other;
    const hex = this.#binary.toString('hex', index * ID_BYTES, (index + 1) * ID_BYTES);
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  }

  places(value: string): readonly number[] {
    const wanted = Buffer.alloc(ID_BYTES);
    if (!writeUuid(value, wanted, 0)) {
      return [...this.#others].filter(([, other]) => other === value).map(([place]) => place);
    }
    const places: number[] = [];
    const binary = this.binary;
    for (let at = binary.indexOf(wanted); at !== -1; at = binary.indexOf(wanted, at + 1)) {
      const place = at / ID_BYTES;
      if (Number.isInteger(place) && !this.#others.has(place)) places.push(place);
    }
    return places;
  }
}

/** The column of ids of a segment that is being written. */
export class IdColumn implements RowColumn {
  codes: Uint32Array = new Uint32Array(FIRST_CAPACITY);
  values = new Ids();
  #rowCount = 0;

  get valueBytes(): number {
    return this.values.bytes;
  }

  addRows(column: Column | undefined, rowCount: number): void {
    const end = this.#rowCount + rowCount;
    if (end > this.codes.length) {
      const wider = new Uint32Array(Math.max(end, this.codes.length * 2));
      wider.set(this.codes);
      this.codes = wider;
    }
    if (column !== undefined) {
      const codeOf = column.values.map((value) => this.#add(value));
      copyCodes(column.rows, codeOf, { codes: this.codes, at: this.#rowCount, rowCount });
    }
    this.#rowCount = end;
  }

  /** Takes rows that were saved; the column has none yet. */
  restore(codes: Uint32Array, values: Ids): void {
    this.codes = codes;
    this.values = values;
    this.#rowCount = codes.length;
  }

  #add(value: string): number {
    if (value === '') return 0;
    this.values.add(value);
    return this.values.length;
  }
}

/** Writes a UUID in lower case in binary; false if the text is none. */
function writeUuid(text: string, target: Buffer, at: number): boolean {
  if (text.length !== UUID_LENGTH) return false;
  for (const dash of DASHES) if (text.charCodeAt(dash) !== DASH) return false;
  for (let byte = 0; byte < ID_BYTES; byte += 1) {
    const place = DIGITS[byte] ?? 0;
    const high = DIGIT_VALUES[text.charCodeAt(place)] ?? -1;
    const value = (high << 4) | (DIGIT_VALUES[text.charCodeAt(place + 1)] ?? -1);
    if (value < 0) {
      target.fill(0, at, at + ID_BYTES);
      return false;
    }
    target[at + byte] = value;
  }
  return true;
}
