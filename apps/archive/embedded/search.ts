import { Order, type SearchRequest, type SearchResponse } from '@auditing/proto/archive';
import type { AuditEvent } from '@auditing/proto/event';

import { compileQuery } from './condition';
import { readCursor, writeCursor, type CursorPlace } from './cursor';
import type { Pace } from './pace';
import type { RecordReader } from './record-reader';
import { scanSegment, type Scan } from './scan';
import { locate, rowAt, type IndexedSegment } from './segment-index';
import { TopRows, type RowBoundary, type TimedRow } from './top-rows';

/** One message of an answer ends at so many events or bytes, whichever comes first: far below gRPC's limits. */
const PART_EVENTS = 500;
const PART_BYTES = 2 ** 20;

/** What a query works on. */
export interface Searched {
  /** The archive as it is now. */
  readonly segments: readonly IndexedSegment[];
  readonly reader: RecordReader;
  readonly pace: Pace;
}

/**
 * Finds events. Segments are gone through from the one that reaches furthest in the order asked for; it ends as soon as
 * no other segment can hold a better row than those found. Late and disordered events need nothing more: every segment
 * whose time span touches is looked at.
 */
export async function* search(
  request: SearchRequest,
  searched: Searched,
): AsyncIterable<SearchResponse> {
  const newestFirst = request.order !== Order.OLDEST_FIRST;
  const place = readCursor(request);
  const after = place && (await boundaryOf(place, searched.segments, newestFirst));
  // One more than asked for tells whether there is a next page.
  const top = new TopRows(request.offset + request.limit + 1, newestFirst, after);
  const total = await collect(request, top, searched);
  const rows = top.sorted().slice(request.offset);
  yield* answer(request, { rows, total }, searched);
}

async function collect(
  request: SearchRequest,
  top: TopRows,
  { segments, reader, pace }: Searched,
): Promise<bigint> {
  const query = compileQuery(
    request.query ?? {
      start: undefined,
      end: undefined,
      conditions: [],
      text: '',
      scope: undefined,
    },
  );
  let total = 0;
  for (const segment of promising(segments, top.newestFirst)) {
    if (!request.countTotal && !top.wantsAnyOf(segment)) continue;
    const wants = (timeUs: number, row: number): boolean => top.wants(timeUs, segment.start, row);
    const scan: Scan = {
      query,
      pace,
      reader,
      backwards: top.newestFirst,
      ...(request.countTotal ? {} : { wanted: wants }),
    };
    const times = await segment.times();
    for await (const rows of scanSegment(segment, scan)) {
      total += rows.length;
      for (const row of rows) {
        const timeUs = times[row] ?? 0;
        if (wants(timeUs, row)) top.offer({ timeUs, segment, row });
      }
    }
  }
  return BigInt(total);
}

function promising(
  segments: readonly IndexedSegment[],
  newestFirst: boolean,
): readonly IndexedSegment[] {
  return [...segments].sort((a, b) =>
    newestFirst
      ? b.summary.maxTimeUs - a.summary.maxTimeUs
      : a.summary.minTimeUs - b.summary.minTimeUs,
  );
}

/** The place of a cursor in terms of rows. Its record may be gone: then what lay around it decides. */
async function boundaryOf(
  { timeUs, position, event }: CursorPlace,
  segments: readonly IndexedSegment[],
  newestFirst: boolean,
): Promise<RowBoundary> {
  const segment = segments.findLast(({ start }) => start <= position);
  if (segment === undefined) return { timeUs, segmentStart: -1, row: newestFirst ? 0 : Infinity };
  return {
    timeUs,
    segmentStart: segment.start,
    row: rowAt(await segment.records(), position, event),
  };
}

interface Found {
  /** One more than asked for if there is a next page. */
  readonly rows: readonly TimedRow[];
  readonly total: bigint;
}

async function* answer(
  request: SearchRequest,
  { rows, total }: Found,
  { reader, pace }: Searched,
): AsyncIterable<SearchResponse> {
  const given = rows.slice(0, request.limit);
  let events: AuditEvent[] = [];
  let bytes = 0;
  for (const { segment, row } of given) {
    await pace.breathe();
    const { position, event } = locate(await segment.records(), row);
    const record = await reader.readWhole(position);
    if (record === undefined) continue;
    events.push(record.typed(event, request.includeRaw));
    bytes += record.event(event).length;
    if (events.length < PART_EVENTS && bytes < PART_BYTES) continue;
    yield { events, nextCursor: '', total: 0n, progress: undefined };
    events = [];
    bytes = 0;
  }
  const last = given.at(-1);
  const more = last !== undefined && rows.length > given.length;
  yield {
    events,
    nextCursor: more ? writeCursor(await placeOf(last), request) : '',
    total: request.countTotal ? total : 0n,
    progress: undefined,
  };
}

async function placeOf({ timeUs, segment, row }: TimedRow): Promise<CursorPlace> {
  return { timeUs, ...locate(await segment.records(), row) };
}
