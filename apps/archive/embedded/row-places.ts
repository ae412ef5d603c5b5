import type { IndexedSegment, RecordTable } from './segment-index';

/** A record of the log, and the rows of its events. */
export interface RecordRows {
  readonly position: number;
  /** Position of the record after it; of the last one, Infinity. */
  readonly end: number;
  readonly firstRow: number;
  /** The row after its last one. */
  readonly endRow: number;
}

/** The record that holds a row. */
export function recordOf({ positions, firstRows }: RecordTable, row: number): RecordRows {
  let low = 0;
  let high = firstRows.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if ((firstRows[middle] ?? Infinity) <= row) low = middle;
    else high = middle - 1;
  }
  return {
    position: positions[low] ?? 0,
    end: positions[low + 1] ?? Infinity,
    firstRow: firstRows[low] ?? 0,
    endRow: firstRows[low + 1] ?? Infinity,
  };
}

/** The record that holds a row: its position in the log, and the place of the row's event in it. */
export function locate(
  records: RecordTable,
  row: number,
): { readonly position: number; readonly event: number } {
  const { position, firstRow } = recordOf(records, row);
  return { position, event: row - firstRow };
}

/** A place of the log that is told to others. It names rows of a segment: records can be joined, rows stay. */
export interface RowPlace {
  /** Position of the segment's first byte; of a record where an earlier release told it. */
  readonly position: number;
  /** Row of the segment; of the record where that is told. */
  readonly event: number;
}

/** The place of a row. */
export function placeOfRow({ start }: IndexedSegment, row: number): RowPlace {
  return { position: start, event: row };
}

/** The row at a place of this segment. Where a record is told that is not there: the first row after it. */
export async function rowAt(
  segment: IndexedSegment,
  { position, event }: RowPlace,
): Promise<number> {
  if (position === segment.start) return event;
  const records = await segment.records();
  const record = records.positions.findIndex((at) => at >= position);
  if (record === -1) return Infinity;
  return (records.firstRows[record] ?? 0) + (records.positions[record] === position ? event : 0);
}
