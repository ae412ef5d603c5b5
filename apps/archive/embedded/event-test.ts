import { decodeEvent } from '@auditing/audit-event/decoded-event';
import { Source } from '@auditing/proto/event';

import { UNINDEXED_FIELDS } from '../indexed-fields';
import type { CompiledQuery } from './condition';
import type { Pace } from './pace';
import type { RecordReader } from './record-reader';
import { recordOf, type IndexedSegment, type RecordRows } from './segment-index';

/** Records that are read and expanded (in threads of the runtime) while one is searched. */
const AHEAD_RECORDS = 6;

const NO_TEXT = Buffer.alloc(0);

/** What is asked of the bytes of an event; undefined if the index answers all. */
export interface EventTest {
  /** Bytes that an event must contain; empty if any will do. Records without them are passed over at once. */
  readonly text: Buffer;
  readonly fits: (bytes: Buffer) => boolean;
}

/** The part of a query that only the events themselves can answer: text, and fields that have no column. */
export function eventTestOf({ text, conditions, scope }: CompiledQuery): EventTest | undefined {
  const unindexed = conditions.filter(({ field }) => UNINDEXED_FIELDS.has(field));
  if (text.length === 0 && unindexed.length === 0) return undefined;
  return {
    // In a scope it would tell, by the time it takes, what others have in the same record.
    text: scope ? NO_TEXT : text,
    fits: (bytes) =>
      (text.length === 0 || bytes.includes(text)) &&
      (unindexed.length === 0 || fitAll(requestUriOf(bytes), unindexed)),
  };
}

function fitAll(value: string, conditions: CompiledQuery['conditions']): boolean {
  return conditions.every(({ fits }) => fits(value));
}

/** RequestURI of an event; empty without one. */
export function requestUriOf(bytes: Buffer): string {
  const value = decodeEvent(bytes, Source.UNSPECIFIED).get('RequestURI');
  return typeof value === 'string' ? value : '';
}

/** What reading events takes. */
export interface EventReading {
  readonly pace: Pace;
  readonly reader: RecordReader;
  /** Events of records that do not contain it are left out. Every event without it. */
  readonly text?: Buffer;
}

/** Leaves the rows whose events fit. */
export async function filterByEvents(
  segment: IndexedSegment,
  rows: Uint32Array,
  scan: EventReading & EventTest,
): Promise<Uint32Array> {
  let count = 0;
  for await (const { row, bytes } of eventsOfRows(segment, rows, scan)) {
    if (scan.fits(bytes)) rows[count++] = row;
  }
  return rows.subarray(0, count);
}

/**
 * The bytes of the events of rows, ascending; rows of damaged records are passed over. Each record is read once, and the
 * next ones while it is looked at.
 */
export async function* eventsOfRows(
  segment: IndexedSegment,
  rows: Uint32Array,
  { pace, reader, text }: EventReading,
): AsyncIterable<{ readonly row: number; readonly bytes: Buffer }> {
  const groups = byRecord(await segment.records(), rows);
  const reading = groups
    .slice(0, AHEAD_RECORDS)
    .map(({ at }) => reader.readEvents(at.position, text));
  for (const [index, { at, begin, end }] of groups.entries()) {
    const ahead = groups[index + AHEAD_RECORDS];
    if (ahead !== undefined) reading.push(reader.readEvents(ahead.at.position, text));
    await pace.breathe();
    const events = await reading.shift();
    if (events === undefined) continue;
    for (let place = begin; place < end; place += 1) {
      const row = rows[place] ?? 0;
      const bytes = events[row - at.firstRow];
      if (bytes !== undefined) yield { row, bytes };
    }
  }
}

interface RowsOfRecord {
  readonly at: RecordRows;
  /** Where its rows stand in the list of rows. */
  readonly begin: number;
  readonly end: number;
}

function byRecord(records: Parameters<typeof recordOf>[0], rows: Uint32Array): RowsOfRecord[] {
  const groups: RowsOfRecord[] = [];
  let begin = 0;
  while (begin < rows.length) {
    const at = recordOf(records, rows[begin] ?? 0);
    let end = begin + 1;
    while (end < rows.length && (rows[end] ?? 0) < at.endRow) end += 1;
    groups.push({ at, begin, end });
    begin = end;
  }
  return groups;
}
