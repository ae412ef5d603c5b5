import type { CodedColumn } from './column';
import { Field } from '@auditing/proto/event';

import { CodeTest } from './code-test';
import type { CompiledQuery, CompiledScope } from './condition';
import { filterByEvents, type EventReading } from './event-rows';
import { inOrder } from './in-order';
import { recordOf } from './row-places';
import type { IndexedSegment, RecordTable } from './segment-index';

/** Rows looked at between two breaths: a fraction of a millisecond. */
const CHUNK_ROWS = 4096;

/** Chunks whose events are looked through for text at once: enough to keep all threads at work. */
const CHUNKS_AT_ONCE = 4;

/** How a segment is scanned. */
export interface Scan extends EventReading {
  readonly query: CompiledQuery;
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
  const { events: search } = scan.query;
  const indexed = scanIndex(segment, scan);
  const chunks =
    search === undefined
      ? indexed
      : inOrder(indexed, CHUNKS_AT_ONCE, (rows) =>
          filterByEvents(segment, rows, { ...scan, search }),
        );
  for await (const rows of chunks) {
    if (rows.length > 0) yield scan.backwards ? rows.reverse() : rows;
  }
}

/** The rows that fit as far as the index tells, ascending within each chunk. */
async function* scanIndex(segment: IndexedSegment, scan: Scan): AsyncIterable<Uint32Array> {
  const { query, pace } = scan;
  const { rowCount, minTimeUs, maxTimeUs } = segment.summary;
  const fromRow = scan.fromRow ?? 0;
  if (rowCount <= fromRow || maxTimeUs < query.startUs || minTimeUs > query.endUs) return;
  const tests: CodeTest[] = [];
  for (const condition of query.conditions) {
    const test = new CodeTest(await segment.column(condition.field), condition);
    // A value that the segment lacks: nothing else of it needs to be read.
    if (!test.canFit) return;
    tests.push(test);
  }
  const times = await segment.times();
  const scope = query.scope && (await scopeTest(segment, query.scope, times));
  const records = query.events && (await segment.records());
  const chunkCount = Math.ceil((rowCount - fromRow) / CHUNK_ROWS);
  // Where a chunk begins; where records are read, with a record, so that none is expanded for two chunks.
  const beginOf = (chunk: number): number => {
    const row = fromRow + chunk * CHUNK_ROWS;
    return records === undefined || row >= rowCount ? row : firstOfRecord(records, row, fromRow);
  };
  for (let index = 0; index < chunkCount; index += 1) {
    await pace.breathe();
    const chunk = scan.backwards ? chunkCount - 1 - index : index;
    const begin = beginOf(chunk);
    const end = Math.min(rowCount, beginOf(chunk + 1));
    let rows = rowsInTime(times, { begin, end, query, wanted: scan.wanted });
    for (const test of tests) rows = test.filter(rows);
    // Before the text: what a caller may not see must not be told by the time a search takes.
    if (scope) rows = rows.filter(scope);
    if (rows.length > 0) yield rows;
  }
}

function firstOfRecord(records: RecordTable, row: number, fromRow: number): number {
  return Math.max(fromRow, recordOf(records, row).firstRow);
}

interface TimeFilter {
  readonly begin: number;
  readonly end: number;
  readonly query: CompiledQuery;
  readonly wanted: Scan['wanted'];
}

function rowsInTime(times: Float64Array, { begin, end, query, wanted }: TimeFilter): Uint32Array {
  const rows = new Uint32Array(end - begin);
  if (wanted === undefined && query.startUs === -Infinity && query.endUs === Infinity) {
    for (let row = begin; row < end; row += 1) rows[row - begin] = row;
    return rows;
  }
  let count = 0;
  for (let row = begin; row < end; row += 1) {
    const timeUs = times[row] ?? 0;
    if (timeUs < query.startUs || timeUs > query.endUs) continue;
    if (wanted !== undefined && !wanted(timeUs, row)) continue;
    rows[count++] = row;
  }
  return rows.subarray(0, count);
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
