import type { CodedColumn } from './column';
import type { CompiledCondition, CompiledQuery } from './condition';
import type { Pace } from './pace';
import type { RecordReader } from './record-reader';
import { locate, type IndexedSegment } from './segment-index';

/** Rows looked at between two breaths: a fraction of a millisecond. */
const CHUNK_ROWS = 4096;

/** Fits of codes that were not asked for yet. */
const UNKNOWN = 0;
const FITS = 1;
const FAILS = 2;

/** How a segment is scanned. */
export interface Scan {
  readonly query: CompiledQuery;
  readonly pace: Pace;
  readonly reader: RecordReader;
  /** Rows are given from the last to the first. */
  readonly backwards: boolean;
  /** Asked before the text of a row is searched: false passes it over. Every row without it. */
  readonly wanted?: (timeUs: number, row: number) => boolean;
  /** Only rows from this one on. */
  readonly fromRow?: number;
}

/** The rows of a segment that fit a query, chunk by chunk; empty chunks are left out. */
export async function* scanSegment(
  segment: IndexedSegment,
  scan: Scan,
): AsyncIterable<readonly number[]> {
  const { query, pace } = scan;
  const { rowCount, minTimeUs, maxTimeUs } = segment.summary;
  const fromRow = scan.fromRow ?? 0;
  if (rowCount <= fromRow || maxTimeUs < query.startUs || minTimeUs > query.endUs) return;
  const times = await segment.times();
  const tests = await Promise.all(
    query.conditions.map(
      async (condition) => new CodeTest(await segment.column(condition.field), condition),
    ),
  );
  const chunkCount = Math.ceil((rowCount - fromRow) / CHUNK_ROWS);
  for (let chunk = 0; chunk < chunkCount; chunk += 1) {
    await pace.breathe();
    const begin = fromRow + (scan.backwards ? chunkCount - 1 - chunk : chunk) * CHUNK_ROWS;
    const end = Math.min(rowCount, begin + CHUNK_ROWS);
    let rows = rowsInTime(times, { begin, end, query, wanted: scan.wanted });
    for (const test of tests) rows = test.filter(rows);
    if (query.text.length > 0) rows = await withText(segment, rows, scan);
    if (rows.length === 0) continue;
    yield scan.backwards ? rows.reverse() : rows;
  }
}

interface TimeFilter {
  readonly begin: number;
  readonly end: number;
  readonly query: CompiledQuery;
  readonly wanted: Scan['wanted'];
}

function rowsInTime(times: Float64Array, { begin, end, query, wanted }: TimeFilter): number[] {
  const rows: number[] = [];
  for (let row = begin; row < end; row += 1) {
    const timeUs = times[row] ?? 0;
    if (timeUs >= query.startUs && timeUs <= query.endUs && (wanted?.(timeUs, row) ?? true))
      rows.push(row);
  }
  return rows;
}

/** Puts a condition to the codes of a column; each value is looked at once. */
class CodeTest {
  readonly #known: Uint8Array;

  constructor(
    readonly column: CodedColumn,
    readonly condition: CompiledCondition,
  ) {
    this.#known = new Uint8Array(column.values.length + 1);
  }

  filter(rows: readonly number[]): number[] {
    const { codes } = this.column;
    return rows.filter((row) => this.#fits(codes[row] ?? 0));
  }

  #fits(code: number): boolean {
    const known = this.#known[code] ?? UNKNOWN;
    if (known !== UNKNOWN) return known === FITS;
    const fits = this.condition.fits(this.column.values[code - 1] ?? '');
    this.#known[code] = fits ? FITS : FAILS;
    return fits;
  }
}

async function withText(
  segment: IndexedSegment,
  rows: readonly number[],
  scan: Scan,
): Promise<number[]> {
  const records = await segment.records();
  const found: number[] = [];
  for (const row of rows) {
    await scan.pace.breathe();
    const { position, event } = locate(records, row);
    const record = await scan.reader.readWhole(position);
    if (record?.event(event).includes(scan.query.text)) found.push(row);
  }
  return found;
}
