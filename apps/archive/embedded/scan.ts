import type { CodedColumn } from './column';
import { Field } from '@auditing/proto/event';

import type { CompiledCondition, CompiledQuery, CompiledScope } from './condition';
import type { Pace } from './pace';
import type { RecordReader, StoredRecord } from './record-reader';
import { recordOf, type IndexedSegment, type RecordRows } from './segment-index';

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
): AsyncIterable<Uint32Array> {
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
  const scope = query.scope && (await scopeTest(segment, query.scope, times));
  const chunkCount = Math.ceil((rowCount - fromRow) / CHUNK_ROWS);
  for (let chunk = 0; chunk < chunkCount; chunk += 1) {
    await pace.breathe();
    const begin = fromRow + (scan.backwards ? chunkCount - 1 - chunk : chunk) * CHUNK_ROWS;
    const end = Math.min(rowCount, begin + CHUNK_ROWS);
    let rows = rowsInTime(times, { begin, end, query, wanted: scan.wanted });
    for (const test of tests) rows = test.filter(rows);
    // Before the text: what a caller may not see must not be told by the time a search takes.
    if (scope) rows = rows.filter(scope);
    if (query.text.length > 0) rows = await withText(segment, rows, scan);
    if (rows.length > 0) yield scan.backwards ? rows.reverse() : rows;
  }
}

interface TimeFilter {
  readonly begin: number;
  readonly end: number;
  readonly query: CompiledQuery;
  readonly wanted: Scan['wanted'];
}

function rowsInTime(times: Float64Array, { begin, end, query, wanted }: TimeFilter): Uint32Array {
  const rows = new Uint32Array(end - begin);
  let count = 0;
  for (let row = begin; row < end; row += 1) {
    const timeUs = times[row] ?? 0;
    if (timeUs < query.startUs || timeUs > query.endUs) continue;
    if (wanted !== undefined && !wanted(timeUs, row)) continue;
    rows[count++] = row;
  }
  return rows.subarray(0, count);
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

  /** Leaves the rows that fit, in their array. */
  filter(rows: Uint32Array): Uint32Array {
    const { codes } = this.column;
    let count = 0;
    for (const row of rows) {
      if (this.#fits(codes[row] ?? 0)) rows[count++] = row;
    }
    return rows.subarray(0, count);
  }

  #fits(code: number): boolean {
    const known = this.#known[code] ?? UNKNOWN;
    if (known !== UNKNOWN) return known === FITS;
    const fits = this.condition.fits(this.column.values.at(code - 1) ?? '');
    this.#known[code] = fits ? FITS : FAILS;
    return fits;
  }
}

/** Tells whether a row is in the scope. Each namespace and workspace is looked up once. */
async function scopeTest(
  segment: IndexedSegment,
  { namespaces, workspaces }: CompiledScope,
  times: Float64Array,
): Promise<(row: number) => boolean> {
  const byNamespace = sinceByCode(await segment.column(Field.NAMESPACE), namespaces);
  const byWorkspace = sinceByCode(await segment.column(Field.WORKSPACE), workspaces);
  return (row) => {
    const timeUs = times[row] ?? 0;
    return timeUs >= byNamespace(row) || timeUs >= byWorkspace(row);
  };
}

/** From which time on the event of a row may be seen for the value of this column. */
function sinceByCode(
  { codes, values }: CodedColumn,
  since: ReadonlyMap<string, number>,
): (row: number) => number {
  const times = new Float64Array(values.length).fill(Infinity);
  for (const [value, sinceUs] of since) {
    for (const place of values.places(value)) times[place] = sinceUs;
  }
  // Code 0 stands for an event without a value, which is in no scope.
  return (row) => times[(codes[row] ?? 0) - 1] ?? Infinity;
}

/** Leaves the rows whose events hold the text. Rows of a record lie together, so that each record is read once. */
async function withText(
  segment: IndexedSegment,
  rows: Uint32Array,
  { pace, reader, query }: Scan,
): Promise<Uint32Array> {
  const records = await segment.records();
  let at: RecordRows | undefined;
  let record: StoredRecord | undefined;
  let count = 0;
  for (const row of rows) {
    if (at === undefined || row >= at.endRow) {
      await pace.breathe();
      at = recordOf(records, row);
      record = await reader.readWhole(at.position);
    }
    if (record?.event(row - at.firstRow).includes(query.text)) rows[count++] = row;
  }
  return rows.subarray(0, count);
}
