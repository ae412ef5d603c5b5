import { Query, type TailRequest } from '@auditing/proto/archive';
import type { AuditEvent } from '@auditing/proto/event';
import { cancelled, wait } from '@auditing/service/wait';

import type { Clause } from './clause';
import type { IndexNames } from './index-day';
import { queryClauses } from './query-clauses';
import { NOTHING, readToken, shardPlaces, writeToken, type ShardPlaces } from './shard-places';
import { storedEvents, typedStoredEvent, type Reading } from './stored-events';

/** How often OpenSearch is asked for news: an event reaches a listener within about a second. */
const POLL_MS = 1_000;

/** Hits of one request: they are read before the next one is asked for. */
const PAGE = 1_000;

/** What a listener works on. */
export interface Tailed {
  readonly reading: Reading;
  readonly names: IndexNames;
  /** Resolves when this process has stored something, or the signal aborts. */
  readonly stored: (signal: AbortSignal) => Promise<void>;
}

/** Operations of one shard, from one place to another. */
interface Span {
  readonly index: string;
  readonly shard: number;
  readonly from: number;
  readonly to: number;
}

/**
 * Gives events as they are stored, by whichever process. Every shard numbers its operations without gaps, and says up to
 * which of them all copies have: so between two of these numbers nothing is missed and nothing comes twice.
 */
export async function* tail(
  request: TailRequest,
  tailed: Tailed,
  signal: AbortSignal,
): AsyncIterable<AuditEvent> {
  const { reading, names } = tailed;
  const query = Query.fromPartial({ ...request.query, start: undefined, end: undefined });
  const now = (): Promise<ShardPlaces> => shardPlaces(reading.opensearch, names, signal);
  const seen = new Map(
    request.resumeToken === '' ? await now() : readToken(request.resumeToken, names),
  );
  const text = Buffer.from(query.text);
  for (;;) {
    const ended = new AbortController();
    const either = AbortSignal.any([signal, ended.signal]);
    const next = Promise.race([
      tailed.stored(either),
      wait(POLL_MS, either).catch(() => undefined),
    ]).finally(() => ended.abort());
    const spans = newSpans(seen, await now());
    if (spans.length > 0) await refresh(spans, reading);
    for (const span of spans) {
      for await (const { place, event } of eventsOf(span, queryClauses(query), reading)) {
        setPlace(seen, span, place);
        if (!event.bytes.includes(text)) continue;
        const typed = typedStoredEvent(event, request.includeRaw);
        yield { ...typed, resumeToken: writeToken(seen, names) };
      }
      setPlace(seen, span, span.to);
    }
    await next;
    if (signal.aborted) throw cancelled();
  }
}

/** What has come since; forgets the indices that are gone. */
function newSpans(seen: Map<string, readonly number[]>, now: ShardPlaces): Span[] {
  for (const index of seen.keys()) if (!now.has(index)) seen.delete(index);
  return [...now].flatMap(([index, places]) =>
    places.flatMap((to, shard) => {
      const before = seen.get(index)?.[shard] ?? NOTHING;
      // Numbers never go back: this is another index with the same name.
      const from = before > to ? NOTHING : before;
      if (seen.get(index)?.length !== places.length) {
        seen.set(
          index,
          places.map((_, at) => seen.get(index)?.[at] ?? NOTHING),
        );
      }
      return to > from ? [{ index, shard, from, to }] : [];
    }),
  );
}

function setPlace(
  seen: Map<string, readonly number[]>,
  { index, shard }: Span,
  place: number,
): void {
  seen.set(
    index,
    (seen.get(index) ?? []).map((one, at) => (at === shard ? place : one)),
  );
}

/** After it searches show all that the shards have told of. */
async function refresh(spans: readonly Span[], { opensearch, signal }: Reading): Promise<void> {
  const indices = [...new Set(spans.map(({ index }) => index))].join(',');
  await opensearch.request(
    { method: 'POST', path: `/${indices}/_refresh`, parameters: { ignore_unavailable: true } },
    signal,
  );
}

interface SpanAnswer {
  readonly hits: {
    readonly hits: readonly {
      readonly _index: string;
      readonly _id: string;
      readonly sort: readonly number[];
      readonly fields?: { readonly 'Kept.Bytes'?: readonly number[] };
    }[];
  };
}

async function* eventsOf({ index, shard, from, to }: Span, query: Clause, reading: Reading) {
  let after = from;
  for (;;) {
    const { hits } = await reading.opensearch.request<SpanAnswer>(
      {
        method: 'POST',
        path: `/${index}/_search`,
        parameters: {
          ignore_unavailable: true,
          allow_partial_search_results: false,
          preference: `_shards:${shard}`,
        },
        body: {
          query: { bool: { filter: [query, { range: { _seq_no: { gt: after, lte: to } } }] } },
          sort: ['_seq_no'],
          size: PAGE,
          track_total_hits: false,
          _source: false,
          docvalue_fields: ['Kept.Bytes'],
        },
      },
      reading.signal,
    );
    const found = hits.hits.map((hit) => ({
      index: hit._index,
      id: hit._id,
      bytes: hit.fields?.['Kept.Bytes']?.[0] ?? 0,
      place: hit.sort[0] ?? to,
    }));
    for await (const part of storedEvents(found, reading)) {
      for (const { hit, event } of part) yield { place: hit.place, event };
    }
    after = found.at(-1)?.place ?? to;
    if (found.length < PAGE) return;
  }
}
