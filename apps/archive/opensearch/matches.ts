import type { Query } from '@auditing/proto/archive';

import type { SortPlace } from './cursor';
import { hits, type Hit } from './hits';
import { queryClauses } from './query-clauses';
import { storedEvents, type Reading, type StoredEvent } from './stored-events';

/** Hits asked for at once: a search that finds enough early has asked for little more. */
const PAGE = 1_000;

/** A search through text. */
export interface MatchesRequest {
  /** With a text. */
  readonly query: Query;
  readonly newestFirst: boolean;
  readonly after?: SortPlace | undefined;
  /** A field whose values are wanted with each hit. */
  readonly valuesOf?: string;
}

/** What was found in one more part of the archive. */
export interface Matches {
  readonly fits: readonly { readonly hit: Hit; readonly event: StoredEvent }[];
  /** Events read so far, and events to be read. */
  readonly searchedCount: number;
  readonly candidateCount: number;
}

/** Reads the events that the index says may hold a text, in order, and gives those that do: byte for byte. */
export async function* matches(
  { query, ...request }: MatchesRequest,
  reading: Reading,
): AsyncIterable<Matches> {
  const text = Buffer.from(query.text);
  let searchedCount = 0;
  let candidateCount = 0;
  const pages = hits(
    {
      ...request,
      query: queryClauses(query),
      limit: Infinity,
      pageSize: PAGE,
      onTotal: (count) => (candidateCount = count),
    },
    reading,
  );
  for await (const page of pages) {
    for await (const part of storedEvents(page, reading)) {
      searchedCount += part.length;
      const fits = part.filter(({ event }) => event.bytes.includes(text));
      yield { fits, searchedCount, candidateCount };
    }
  }
}
