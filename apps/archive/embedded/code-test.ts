import type { CodedColumn } from './column';
import type { CompiledCondition } from './compile-condition';

/** What is known of a code; 0: it was not asked for yet. */
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
    const known = this.#known;
    let count = 0;
    // By index, and all in one loop: it is gone through for every row of an archive.
    for (let place = 0; place < rows.length; place += 1) {
      const row = rows[place] ?? 0;
      const code = codes[row] ?? 0;
      const fits = known[code] || this.#find(code);
      if (fits === FITS) rows[count++] = row;
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

  #find(code: number): typeof FITS | typeof FAILS {
    const fits = this.#condition.fits(this.#column.values.at(code - 1) ?? '') ? FITS : FAILS;
    this.#known[code] = fits;
    return fits;
  }
}
