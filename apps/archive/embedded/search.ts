import {
  Order,
  Query,
  SearchResponse,
  type SearchProgress,
  type SearchRequest,
} from '@auditing/proto/archive';
import type { AuditEvent } from '@auditing/proto/event';

import { compileQuery, type CompiledQuery } from './condition';
import { readCursor, writeCursor, type CursorPlace } from './cursor';
import type { EventReading } from './event-rows';
import { scanSegment, type Scan } from './scan';
import { locate, placeOfRow, rowAt } from './row-places';
import type { IndexedSegment } from './segment-index';
import { TopRows, type RowBoundary, type TimedRow } from './top-rows';

/**
 * One message of an answer ends at so many events or bytes, whichever comes first: far below gRPC's limits, and little to
 * hold for a reader who is slow, for whom an event takes several times its bytes.
 */
const PART_EVENTS = 500;
const PART_BYTES = 2 ** 18;

/** Events whose records are read while another one is given. */
const AHEAD_EVENTS = 4;

/** What a query works on. */
export interface Searched extends EventReading {
  /** The archive as it is now. */
  readonly segments: readonly IndexedSegment[];
}

/**
 * Finds events. Segments are gone through from the one that reaches furthest in the order asked for; it ends as soon as
 * no other segment can hold a better row than those found. Late and disordered events need nothing more: every segment
 * whose time span touches is looked at. What no later segment can come before is given at once.
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
  const collecting = new Collecting(request, top, searched);
  let given = request.offset;
  for (;;) {
    const reachUs = await collecting.next();
    if (reachUs === undefined) break;
    const rows = top.settled(reachUs).slice(given, request.offset + request.limit);
    given += rows.length;
    for await (const { events } of parts(rows, request, searched)) {
      if (events.length > 0) yield SearchResponse.create({ events });
    }
    if (request.reportProgress) yield SearchResponse.create({ progress: collecting.progress });
  }
  const { page, ...end } = lastPage(request, given, collecting);
  let last = SearchResponse.create();
  for await (const part of parts(page, request, searched)) {
    if (last.events.length > 0) yield last;
    last = SearchResponse.create(part);
  }
  yield { ...last, ...end };
}

/** The rows that were not given yet, and what the last message says besides; a reader who is slow holds no other rows. */
function lastPage(
  request: SearchRequest,
  given: number,
  collecting: Collecting,
): { readonly page: readonly TimedRow[] } & ReturnType<typeof ending> {
  const rows = collecting.top.sorted();
  const page = rows.slice(given, request.offset + request.limit);
  const end = ending(request, rows, collecting);
  collecting.top.clear();
  return { page, ...end };
}

/** Goes through the segments and offers what fits. */
class Collecting {
  readonly #query: CompiledQuery;
  readonly #segments: readonly IndexedSegment[];
  #nextSegment = 0;
  #searchedCount = 0;
  #foundCount = 0;

  constructor(
    readonly request: SearchRequest,
    readonly top: TopRows,
    readonly searched: Searched,
  ) {
    this.#query = compileQuery(request.query ?? Query.create());
    this.#segments = promising(searched.segments, top.newestFirst);
  }

  get progress(): SearchProgress {
    const candidates = this.#segments.reduce((sum, { summary }) => sum + summary.rowCount, 0);
    return {
      searchedCount: BigInt(this.#searchedCount),
      candidateCount: BigInt(candidates),
      foundCount: BigInt(this.#foundCount),
    };
  }

  /** Searches the next segment; tells how far the others reach, or undefined if none is left that matters. */
  async next(): Promise<number | undefined> {
    const segment = this.#segments[this.#nextSegment];
    if (segment === undefined) return undefined;
    if (!this.request.countTotal && !this.top.wantsAnyOf(segment)) {
      // The others reach less far.
      if (segment.summary.rowCount > 0) return undefined;
    } else {
      await this.#search(segment);
    }
    this.#searchedCount += segment.summary.rowCount;
    this.#nextSegment += 1;
    const following = this.#segments[this.#nextSegment]?.summary;
    if (following === undefined) return undefined;
    return this.top.newestFirst ? following.maxTimeUs : following.minTimeUs;
  }

  async #search(segment: IndexedSegment): Promise<void> {
    const { top, request, searched } = this;
    const wants = (timeUs: number, row: number): boolean => top.wants(timeUs, segment.start, row);
    const scan: Scan = {
      query: this.#query,
      pace: searched.pace,
      reader: searched.reader,
      threads: searched.threads,
      backwards: top.newestFirst,
      ...(request.countTotal ? {} : { wanted: wants }),
    };
    for await (const rows of scanSegment(segment, scan)) {
      const times = await segment.times();
      this.#foundCount += rows.length;
      for (const row of rows) {
        const timeUs = times[row] ?? 0;
        if (wants(timeUs, row)) top.offer({ timeUs, segment, row });
      }
    }
  }
}

/** What the last message says besides. */
function ending(
  request: SearchRequest,
  rows: readonly TimedRow[],
  { progress }: Collecting,
): Pick<SearchResponse, 'nextCursor' | 'total' | 'progress'> {
  const end = request.offset + request.limit;
  const last = rows[Math.min(end, rows.length) - 1];
  const more = last !== undefined && rows.length > end;
  return {
    nextCursor: more ? writeCursor(placeOf(last), request) : '',
    total: request.countTotal ? progress.foundCount : 0n,
    progress: request.reportProgress ? progress : undefined,
  };
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
    row: await rowAt(segment, { position, event }),
  };
}

/** The events of rows, in messages. */
async function* parts(
  rows: readonly TimedRow[],
  { includeRaw }: SearchRequest,
  { reader, pace }: Searched,
): AsyncIterable<Pick<SearchResponse, 'events'>> {
  let events: AuditEvent[] = [];
  let bytes = 0;
  const places = await Promise.all(
    rows.map(async ({ segment, row }) => locate(await segment.records(), row)),
  );
  const read = ({
    position,
    event,
  }: (typeof places)[number]): ReturnType<typeof reader.readEvent> => {
    const one = reader.readEvent(position, event);
    // Whoever comes to it gets the error.
    one.catch(() => undefined);
    return one;
  };
  const reading = places.slice(0, AHEAD_EVENTS).map(read);
  for (const index of places.keys()) {
    const ahead = places[index + AHEAD_EVENTS];
    if (ahead !== undefined) reading.push(read(ahead));
    await pace.breathe();
    const one = await reading.shift();
    if (one === undefined) continue;
    events.push(one.typed(includeRaw));
    bytes += one.bytes.length;
    if (events.length < PART_EVENTS && bytes < PART_BYTES) continue;
    yield { events };
    events = [];
    bytes = 0;
  }
  if (events.length > 0) yield { events };
}

function placeOf({ timeUs, segment, row }: TimedRow): CursorPlace {
  return { timeUs, ...placeOfRow(segment, row) };
}
