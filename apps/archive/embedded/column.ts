import type { Column } from '@auditing/proto/event';

/** Codes of rows: as narrow as the number of values allows. */
export type Codes = Uint8Array | Uint16Array | Uint32Array;

/** One field of every row, dictionary-coded. */
export interface CodedColumn {
  /**
   * One entry a row: 0 where the event has no such field or it is empty, else 1 + its place in `values`. May be longer
   * than the rows.
   */
  readonly codes: Codes;
  readonly values: Values;
}

/** The values of a column. */
export interface Values {
  readonly length: number;
  at(index: number): string | undefined;
  /** The places of a value: none if it is not there; several if it came more than once and was not looked up. */
  places(value: string): readonly number[];
}

/** Values in a list, each once. */
export class ListedValues implements Values {
  constructor(readonly list: readonly string[]) {}

  get length(): number {
    return this.list.length;
  }

  at(index: number): string | undefined {
    return this.list[index];
  }

  places(value: string): readonly number[] {
    const place = this.list.indexOf(value);
    return place === -1 ? [] : [place];
  }
}

/** A column that grows with a segment. */
export interface RowColumn extends CodedColumn {
  /** What its values take in memory, roughly. */
  readonly valueBytes: number;
  /** Adds the rows of a column of a batch; without one, rows that lack the field. */
  addRows(column: Column | undefined, rowCount: number): void;
}

const FIRST_CAPACITY = 1024;

/** A column to which rows are added. `codes` is replaced as it grows; an array once taken keeps its rows. */
export class GrowingColumn implements RowColumn {
  codes: Codes = new Uint8Array(FIRST_CAPACITY);
  readonly #list: string[] = [];
  readonly values = new ListedValues(this.#list);
  #textBytes = 0;
  readonly #codeOf = new Map<string, number>();
  #rowCount = 0;
  /** What a row has, the next one mostly has too. */
  #lastValue = '';
  #lastCode = 0;

  get valueBytes(): number {
    return this.#textBytes + 64 * this.#list.length;
  }

  addRows(column: Column | undefined, rowCount: number): void {
    this.#reserve(this.#rowCount + rowCount);
    if (column !== undefined) {
      const codeOf = column.values.map((value) => this.#code(value));
      copyCodes(column.rows, codeOf, { codes: this.codes, at: this.#rowCount, rowCount });
    }
    this.#rowCount += rowCount;
  }

  /** Takes the rows of a column that was saved; the column has none yet. */
  restore({ codes, values }: CodedColumn): void {
    for (let place = 0; place < values.length; place += 1) this.#code(values.at(place) ?? '');
    this.codes = codes;
    this.#rowCount = codes.length;
  }

  /** Adds one row; undefined where the event lacks the field. */
  addRow(value: string | undefined): void {
    this.#reserve(this.#rowCount + 1);
    this.codes[this.#rowCount] = value === undefined ? 0 : this.#code(value);
    this.#rowCount += 1;
  }

  #code(value: string): number {
    if (value === '') return 0;
    if (value === this.#lastValue) return this.#lastCode;
    this.#lastValue = value;
    this.#lastCode = this.#lookUp(value);
    return this.#lastCode;
  }

  #lookUp(value: string): number {
    const known = this.#codeOf.get(value);
    if (known !== undefined) return known;
    this.#list.push(value);
    const code = this.#list.length;
    this.#codeOf.set(value, code);
    this.#textBytes += value.length;
    const max = 2 ** (8 * this.codes.BYTES_PER_ELEMENT) - 1;
    if (code > max)
      this.codes =
        this.codes instanceof Uint8Array
          ? Uint16Array.from(this.codes)
          : Uint32Array.from(this.codes);
    return code;
  }

  #reserve(rowCount: number): void {
    if (rowCount <= this.codes.length) return;
    const capacity = Math.max(rowCount, this.codes.length * 2);
    this.codes = wider(this.codes, capacity);
  }
}

/** Writes the codes of the rows of a batch, whose own codes `codeOf` translates, from place `at` on. */
export function copyCodes(
  rows: readonly number[],
  codeOf: readonly number[],
  {
    codes,
    at,
    rowCount,
  }: { readonly codes: Codes; readonly at: number; readonly rowCount: number },
): void {
  for (let row = 0; row < rowCount; row += 1) {
    const code = rows[row] ?? 0;
    if (code !== 0) codes[at + row] = codeOf[code - 1] ?? 0;
  }
}

function wider(codes: Codes, capacity: number): Codes {
  const copy =
    codes instanceof Uint8Array
      ? new Uint8Array(capacity)
      : codes instanceof Uint16Array
        ? new Uint16Array(capacity)
        : new Uint32Array(capacity);
  copy.set(codes);
  return copy;
}

/** Numbers to which more are added. */
export class GrowingNumbers {
  values = new Float64Array(FIRST_CAPACITY);
  length = 0;

  /** Takes numbers that were saved, instead of what it has. */
  restore(values: Float64Array): void {
    this.values = Float64Array.from(values);
    this.length = values.length;
  }

  push(value: number): void {
    if (this.length === this.values.length) {
      const wider = new Float64Array(Math.max(FIRST_CAPACITY, this.length * 2));
      wider.set(this.values);
      this.values = wider;
    }
    this.values[this.length] = value;
    this.length += 1;
  }

  /** What was added so far, as a view. */
  view(): Float64Array {
    return this.values.subarray(0, this.length);
  }
}
