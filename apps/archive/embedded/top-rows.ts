import type { IndexedSegment } from './segment-index';

/** A row, and by what it is ordered. */
export interface TimedRow {
  readonly timeUs: number;
  readonly segment: IndexedSegment;
  readonly row: number;
}

/** A place between two rows in the order of time and archive. */
export interface RowBoundary {
  readonly timeUs: number;
  /** Position of the first byte of the segment; a row number that is past its end is fine. */
  readonly segmentStart: number;
  readonly row: number;
}

/** Below so many, sorting in between is not worth it. */
const SLACK_ROWS = 1024;

/** The order of answers: by time, equal ones by the order of the archive. Negative if `a` comes first, oldest first. */
function compareRows(a: TimedRow, b: TimedRow): number {
  return a.timeUs - b.timeUs || a.segment.start - b.segment.start || a.row - b.row;
}

/** Keeps the first so many of all rows that are offered, in the order asked for, wherever they lie. */
export class TopRows {
  #rows: TimedRow[] = [];
  /** The last of the first `size` rows, once there were so many. */
  #last: TimedRow | undefined;

  constructor(
    readonly size: number,
    readonly newestFirst: boolean,
    /** Only rows beyond this place. */
    readonly after: RowBoundary | undefined,
  ) {}

  /** True if the row could be among the first. */
  wants(timeUs: number, segmentStart: number, row: number): boolean {
    const sign = this.newestFirst ? -1 : 1;
    const { after } = this;
    if (after !== undefined) {
      const past =
        sign * (timeUs - after.timeUs || segmentStart - after.segmentStart || row - after.row);
      if (past <= 0) return false;
    }
    const last = this.#last;
    return (
      last === undefined ||
      sign * (timeUs - last.timeUs || segmentStart - last.segment.start || row - last.row) < 0
    );
  }

  /** True if a row of the segment could be among the first. */
  wantsAnyOf({ summary }: IndexedSegment): boolean {
    if (summary.rowCount === 0) return false;
    if (this.#last === undefined) return true;
    return this.newestFirst
      ? summary.maxTimeUs >= this.#last.timeUs
      : summary.minTimeUs <= this.#last.timeUs;
  }

  /** Offers a row that it wants. */
  offer(row: TimedRow): void {
    this.#rows.push(row);
    if (
      this.#rows.length >= 2 * this.size + SLACK_ROWS ||
      (this.#last === undefined && this.#rows.length === this.size)
    ) {
      this.#cut();
    }
  }

  /** The first rows, in order, as far as no row of a time at or beyond `reachUs` can come before or between them. */
  settled(reachUs: number): readonly TimedRow[] {
    const rows = this.sorted();
    const end = rows.findIndex(({ timeUs }) =>
      this.newestFirst ? timeUs <= reachUs : timeUs >= reachUs,
    );
    return end === -1 ? rows : rows.slice(0, end);
  }

  /** The first rows, in order. */
  sorted(): readonly TimedRow[] {
    this.#cut();
    return this.#rows;
  }

  /** Lets go of all rows. */
  clear(): void {
    this.#rows = [];
  }

  #cut(): void {
    this.#rows.sort(this.newestFirst ? (a, b) => compareRows(b, a) : compareRows);
    this.#rows.length = Math.min(this.#rows.length, this.size);
    if (this.#rows.length === this.size) this.#last = this.#rows[this.size - 1];
  }
}
