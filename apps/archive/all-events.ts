import type { Order, Query, SearchRequest } from '@auditing/proto/archive';
import type { AuditEvent } from '@auditing/proto/event';

import type { Engine } from './engine';

/** Events of one search: what lies in memory of an export is what a search of so many takes. */
const PAGE_EVENTS = 10_000;

/** Which events, and in which order. */
export interface EventsWanted {
  readonly query: Query | undefined;
  readonly order: Order;
  /** How many at most; 0: all. */
  readonly limit: bigint;
}

/**
 * All events that fit, with their bytes, in the order asked for: one search after the other, each going on where the one
 * before ended, so that the whole takes no more memory than a page, and no time limit but the page's.
 */
export async function* allEvents(
  engine: Pick<Engine, 'search'>,
  wanted: EventsWanted,
  signal: AbortSignal,
): AsyncIterable<AuditEvent> {
  let left = wanted.limit === 0n ? Infinity : Number(wanted.limit);
  let cursor = '';
  while (left > 0) {
    const page: SearchRequest = {
      query: wanted.query,
      order: wanted.order,
      limit: Math.min(PAGE_EVENTS, left),
      offset: 0,
      cursor,
      includeRaw: true,
      countTotal: false,
      reportProgress: false,
    };
    cursor = '';
    for await (const { events, nextCursor } of engine.search(page, signal)) {
      left -= events.length;
      yield* events;
      cursor = nextCursor;
    }
    if (cursor === '') return;
  }
}
