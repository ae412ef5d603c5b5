import type { CodedColumn } from './column';
import type { CompiledCondition } from './compile-condition';

/** Fits of codes that were not asked for yet. */
const UNKNOWN = 0;
const FITS = 1;
const FAILS = 2;

/** Puts a condition to the codes of a column; each value is looked at once. */
export class CodeTest {
  readonly #column: CodedColumn;
  readonly #condition: CompiledCondition;
  readonly #known: Uint8Array;
  /** False if no row of the column can fit: none of the values wanted occurs. */
  readonly canFit: boolean;

  constructor(column: CodedColumn, condition: CompiledCondition) {
    this.#column = column;
    this.#condition = condition;
    this.#known = new Uint8Array(column.values.length + 1);
    this.canFit = condition.only === undefined || this.#lookUp(condition.only);
  }

  /** Leaves the rows that fit, in their array. */
  filter(rows: Uint32Array): Uint32Array {
    const { codes } = this.#column;
    let count = 0;
    for (const row of rows) {
      if (this.#fits(codes[row] ?? 0)) rows[count++] = row;
    }
    return rows.subarray(0, count);
  }

  #lookUp(values: readonly string[]): boolean {
    this.#known.fill(FAILS);
    let canFit = false;
    for (const value of values) {
      // Code 0 stands for a field that is missing or empty.
      const places = value === '' ? [-1] : this.#column.values.places(value);
      for (const place of places) this.#known[place + 1] = FITS;
      canFit ||= places.length > 0;
    }
    return canFit;
  }

  #fits(code: number): boolean {
    const known = this.#known[code] ?? UNKNOWN;
    if (known !== UNKNOWN) return known === FITS;
    const fits = this.#condition.fits(this.#column.values.at(code - 1) ?? '');
    this.#known[code] = fits ? FITS : FAILS;
    return fits;
  }
}
