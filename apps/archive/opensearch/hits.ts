import { randomUUID } from 'node:crypto';

import type { Clause } from './clause';
import type { OpenSearch } from './connect';
import { SORT_FIELDS, type SortPlace } from './cursor';

/** The most that OpenSearch gives at once (`index.max_result_window`). */
export const PAGE_MAX = 10_000;

/** A document that was found, without its content. */
export interface Hit {
  readonly index: string;
  readonly id: string;
  readonly place: SortPlace;
  /** Length of its event. */
  readonly bytes: number;
  /** Values of the field that was asked for. */
  readonly values: readonly string[];
}

/** Which documents, and how. */
export interface HitsRequest {
  readonly query: Clause;
  readonly newestFirst: boolean;
  /** Behind this place; from the beginning without it. */
  readonly after?: SortPlace | undefined;
  /** How many to pass over. */
  readonly skip?: number;
  /** How many to give at most. */
  readonly limit: number;
  /** How many at most at once; PAGE_MAX without it. */
  readonly pageSize?: number;
  /** A field whose values are wanted too. */
  readonly valuesOf?: string;
  /** Told how many fit in all, after the first request. */
  readonly onTotal?: (count: number) => void;
}

/** What questions go to. */
export interface Searched {
  readonly opensearch: Pick<OpenSearch, 'request'>;
  /** All indices of events. */
  readonly pattern: string;
  readonly signal: AbortSignal;
}

interface SearchAnswer {
  readonly hits: {
    readonly total?: { readonly value: number };
    readonly hits: readonly {
      readonly _index: string;
      readonly _id: string;
      readonly sort: SortPlace;
      readonly fields?: Readonly<Record<string, readonly (string | number)[]>>;
    }[];
  };
}

/**
 * Finds documents page by page, in order. Pages go on behind the last place, so that what is stored meanwhile neither
 * doubles nor hides one. All go to the same copies of the shards: others may show new events sooner or later.
 */
export async function* hits(
  request: HitsRequest,
  searched: Searched,
): AsyncIterable<readonly Hit[]> {
  const preference = randomUUID();
  let { after } = request;
  let skip = request.skip ?? 0;
  let left = request.limit;
  let isFirst = true;
  while (left > 0) {
    // So far behind no page reaches: what is passed over is gone through too.
    const passes = skip > 0 && skip + left > PAGE_MAX;
    const from = passes ? 0 : skip;
    const size = Math.min((request.pageSize ?? PAGE_MAX) - from, passes ? skip : left);
    const answer = await page({ ...request, after, preference, from, size, isFirst }, searched);
    if (isFirst) request.onTotal?.(answer.hits.total?.value ?? 0);
    isFirst = false;
    const found = answer.hits.hits.map((hit) => ({
      index: hit._index,
      id: hit._id,
      place: hit.sort,
      bytes: Number(hit.fields?.['Kept.Bytes']?.[0] ?? 0),
      values: (hit.fields?.[request.valuesOf ?? ''] ?? []).map(String),
    }));
    after = found.at(-1)?.place;
    if (passes) {
      skip -= found.length;
    } else {
      skip = 0;
      left -= found.length;
      if (found.length > 0) yield found;
    }
    if (found.length < size) return;
  }
}

interface PageRequest extends HitsRequest {
  readonly preference: string;
  readonly from: number;
  readonly size: number;
  readonly isFirst: boolean;
}

async function page(
  { query, newestFirst, after, valuesOf, onTotal, ...request }: PageRequest,
  { opensearch, pattern, signal }: Searched,
): Promise<SearchAnswer> {
  const order = newestFirst ? 'desc' : 'asc';
  return opensearch.request<SearchAnswer>(
    {
      method: 'POST',
      path: `/${pattern}/_search`,
      parameters: { ...COMPLETE, preference: request.preference },
      body: {
        query,
        sort: SORT_FIELDS.map((field) => ({
          [field]: { order, unmapped_type: field === 'Kept.Epoch' ? 'keyword' : 'long' },
        })),
        ...(after && { search_after: after }),
        from: request.from,
        size: request.size,
        track_total_hits: onTotal !== undefined && request.isFirst,
        _source: false,
        docvalue_fields: ['Kept.Bytes', ...(valuesOf === undefined ? [] : [valuesOf])],
      },
    },
    signal,
  );
}

/** An answer that lacks a shard is an error: it would pass for the whole. An index that is not there has no events. */
export const COMPLETE = { ignore_unavailable: true, allow_partial_search_results: false } as const;
