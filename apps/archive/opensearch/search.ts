import { Order, Query, type SearchRequest, type SearchResponse } from '@auditing/proto/archive';
import type { AuditEvent } from '@auditing/proto/event';

import { readCursor, writeCursor, type SortPlace } from './cursor';
import { hits } from './hits';
import { queryClauses } from './query-clauses';
import { matches } from './matches';
import { storedEvents, typedStoredEvent, type Reading } from './stored-events';

/** One message of an answer ends at so many events or bytes, whichever comes first: far below gRPC's limits. */
const PART_EVENTS = 500;
const PART_BYTES = 2 ** 20;

/** How often a long search says how far it is. */
const PROGRESS_EVERY_MS = 250;

/** Finds events, in order. */
export async function* search(
  request: SearchRequest,
  reading: Reading,
): AsyncIterable<SearchResponse> {
  const after = readCursor(request);
  const query = Query.create(request.query);
  if (query.text === '') yield* indexed(request, { query, after }, reading);
  else yield* read(request, { query, after }, reading);
}

interface Asked {
  readonly query: Query;
  readonly after: SortPlace | undefined;
}

/** The index alone says which events fit. */
async function* indexed(
  request: SearchRequest,
  { query, after }: Asked,
  reading: Reading,
): AsyncIterable<SearchResponse> {
  const answer = new Answer(request);
  const pages = hits(
    {
      query: queryClauses(query),
      newestFirst: request.order !== Order.OLDEST_FIRST,
      after,
      skip: request.offset,
      // One more than asked for tells whether there is a next page.
      limit: request.limit + 1,
      ...(request.countTotal ? { onTotal: (count) => (answer.total = count) } : {}),
    },
    reading,
  );
  let seen = 0;
  for await (const page of pages) {
    const wanted = page.slice(0, request.limit - seen);
    seen += page.length;
    answer.last = wanted.at(-1)?.place ?? answer.last;
    for await (const part of storedEvents(wanted, reading)) {
      for (const { event } of part)
        yield* answer.add(event.bytes.length, typedStoredEvent(event, request.includeRaw));
    }
  }
  yield answer.end(seen > request.limit);
}

/** The index says which events may fit; each of them is read. */
async function* read(
  request: SearchRequest,
  { query, after }: Asked,
  reading: Reading,
): AsyncIterable<SearchResponse> {
  const answer = new Answer(request);
  let found = 0;
  let reportAt = performance.now() + PROGRESS_EVERY_MS;
  const asked = {
    query,
    newestFirst: request.order !== Order.OLDEST_FIRST,
    // The total counts what lies before the cursor too.
    after: request.countTotal ? undefined : after,
  };
  const end = request.offset + request.limit;
  for await (const { fits, searchedCount, candidateCount } of matches(asked, reading)) {
    for (const { hit, event } of fits) {
      answer.total += 1;
      if (asked.after !== after && !isBehind(hit.place, after, asked.newestFirst)) continue;
      found += 1;
      if (found <= request.offset || found > end) continue;
      answer.last = hit.place;
      yield* answer.add(event.bytes.length, typedStoredEvent(event, request.includeRaw));
    }
    if (found > end && !request.countTotal) break;
    if (!request.reportProgress) continue;
    // The last one says that nothing is left.
    if (performance.now() < reportAt && searchedCount < candidateCount) continue;
    reportAt = performance.now() + PROGRESS_EVERY_MS;
    yield answer.progress({ searchedCount, candidateCount });
  }
  yield answer.end(found > end);
}

function isBehind(place: SortPlace, after: SortPlace | undefined, newestFirst: boolean): boolean {
  if (after === undefined) return true;
  for (const [at, value] of place.entries()) {
    const other = after[at] ?? value;
    if (value !== other) return newestFirst ? value < other : value > other;
  }
  return false;
}

/** Puts an answer together, message by message. */
class Answer {
  total = 0;
  /** Place of the last event that is given. */
  last: SortPlace | undefined;
  readonly #request: SearchRequest;
  #events: AuditEvent[] = [];
  #bytes = 0;

  constructor(request: SearchRequest) {
    this.#request = request;
  }

  /** Adds an event; gives the message that it fills. */
  *add(bytes: number, event: AuditEvent): Iterable<SearchResponse> {
    this.#events.push(event);
    this.#bytes += bytes;
    if (this.#events.length >= PART_EVENTS || this.#bytes >= PART_BYTES) yield this.#message();
  }

  progress(counts: { searchedCount: number; candidateCount: number }): SearchResponse {
    return {
      ...this.#message(),
      progress: {
        searchedCount: BigInt(counts.searchedCount),
        candidateCount: BigInt(counts.candidateCount),
        foundCount: BigInt(this.total),
      },
    };
  }

  /** The last message. */
  end(hasMore: boolean): SearchResponse {
    return {
      ...this.#message(),
      nextCursor: hasMore && this.last ? writeCursor(this.last, this.#request) : '',
      total: this.#request.countTotal ? BigInt(this.total) : 0n,
    };
  }

  #message(): SearchResponse {
    const events = this.#events;
    this.#events = [];
    this.#bytes = 0;
    return { events, nextCursor: '', total: 0n, progress: undefined };
  }
}
