import { status } from '@grpc/grpc-js';
import {
  Query,
  type Facet,
  type FacetsRequest,
  type FacetsResponse,
  type HistogramRequest,
  type HistogramResponse,
  type StatisticsResponse,
} from '@auditing/proto/archive';
import { Field } from '@auditing/proto/event';
import { RpcError } from '@auditing/service/rpc-error';

import { FACET_VALUES_MAX } from '../engine';
import { DistinctCounter, EXACT_MAX } from '../distinct';
import type { Clause } from './clause';
import { pathOf } from './field-paths';
import { COMPLETE, type Searched } from './hits';
import { matches } from './matches';
import { queryClauses } from './query-clauses';
import type { Reading } from './stored-events';

/** More buckets than this help nobody and cost memory: archive.proto. */
const BUCKETS_MAX = 10_000;

/** Most precise that OpenSearch counts distinct values: the error above it is below 1 %. */
const PRECISION = 40_000;

/** Values of one request: below the 65,535 buckets that a cluster allows. */
const VALUES_PAGE = 10_000;

/** Most values that one shard gives: then the counts of the others are exact. */
const SHARD_VALUES = 10_000;

const AUDIT_ID = pathOf(Field.AUDIT_ID);

/** Counts events and distinct audit ids. */
export async function statistics(query: Query, reading: Reading): Promise<StatisticsResponse> {
  if (query.text !== '') return readStatistics(query, reading);
  const clause = queryClauses(query);
  const answer = await aggregate<{ ids?: { value: number } }>(reading, {
    query: clause,
    track_total_hits: true,
    aggs: { ids: { cardinality: { field: AUDIT_ID, precision_threshold: PRECISION } } },
  });
  let requestCount = answer.aggregations?.ids?.value ?? 0;
  // What is estimated at no more than this is counted: archive.proto promises it.
  if (requestCount <= EXACT_MAX) {
    requestCount = 0;
    for await (const values of allValues(clause, AUDIT_ID, reading)) {
      requestCount += values.filter(({ value }) => value !== '').length;
    }
  }
  const eventCount = answer.hits.total?.value ?? 0;
  return { eventCount: BigInt(eventCount), requestCount: BigInt(requestCount) };
}

async function readStatistics(query: Query, reading: Reading): Promise<StatisticsResponse> {
  let eventCount = 0;
  const ids = new DistinctCounter();
  for await (const { fits } of matches({ query, newestFirst: true, valuesOf: AUDIT_ID }, reading)) {
    eventCount += fits.length;
    for (const { hit } of fits) hit.values.filter((id) => id !== '').forEach((id) => ids.add(id));
  }
  return { eventCount: BigInt(eventCount), requestCount: BigInt(ids.count) };
}

/** Counts events by time. */
export async function histogram(
  { query = Query.create(), intervalSeconds }: HistogramRequest,
  reading: Reading,
): Promise<HistogramResponse> {
  const counts =
    query.text === ''
      ? await countsByTime(query, intervalSeconds, reading)
      : await readCountsByTime(query, intervalSeconds, reading);
  const places = [...counts.keys()];
  const first = Math.min(...places);
  const length = places.length === 0 ? 0 : Math.max(...places) - first + 1;
  if (length > BUCKETS_MAX) throw tooManyBuckets(intervalSeconds);
  const buckets = Array.from({ length }, (_, at) => ({
    start: { seconds: BigInt((first + at) * intervalSeconds), nanos: 0 },
    count: BigInt(counts.get(first + at) ?? 0),
  }));
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  return { buckets, total: BigInt(total) };
}

/** Counts by the number of the bucket since 1970. */
async function countsByTime(
  query: Query,
  intervalSeconds: number,
  reading: Reading,
): Promise<ReadonlyMap<number, number>> {
  const clause = queryClauses(query);
  const field = 'Kept.TimeUs';
  const widthUs = intervalSeconds * 1e6;
  const span = await aggregate<{ min?: { value: number | null }; max?: { value: number | null } }>(
    reading,
    { query: clause, aggs: { min: { min: { field } }, max: { max: { field } } } },
  );
  const { min, max } = span.aggregations ?? {};
  if (min?.value == null || max?.value == null) return new Map();
  // Asked for first: OpenSearch would make them all.
  const length = Math.floor(max.value / widthUs) - Math.floor(min.value / widthUs) + 1;
  if (length > BUCKETS_MAX) throw tooManyBuckets(intervalSeconds);
  const answer = await aggregate<{ times?: { buckets: { key: number; doc_count: number }[] } }>(
    reading,
    {
      query: clause,
      aggs: { times: { histogram: { field, interval: widthUs, min_doc_count: 1 } } },
    },
  );
  const buckets = answer.aggregations?.times?.buckets ?? [];
  return new Map(buckets.map(({ key, doc_count }) => [Math.round(key / widthUs), doc_count]));
}

async function readCountsByTime(
  query: Query,
  intervalSeconds: number,
  reading: Reading,
): Promise<ReadonlyMap<number, number>> {
  const counts = new Map<number, number>();
  for await (const { fits } of matches({ query, newestFirst: true }, reading)) {
    for (const { event } of fits) {
      const place = Math.floor(event.kept.TimeUs / (intervalSeconds * 1e6));
      counts.set(place, (counts.get(place) ?? 0) + 1);
    }
    if (counts.size > BUCKETS_MAX) throw tooManyBuckets(intervalSeconds);
  }
  return counts;
}

/** Counts events by the values of a field. */
export async function facets(
  { query = Query.create(), field, limit }: FacetsRequest,
  reading: Reading,
): Promise<FacetsResponse> {
  const path = pathOf(field);
  const clause = queryClauses(query);
  if (query.text !== '') return topOf(await readCounts(query, path, reading), limit);
  const top = await topValues({ clause, path }, limit, reading);
  return top ?? topOf(await allCounts(clause, path, reading), limit);
}

/** The most frequent values; undefined where the shards cannot say exactly, each knowing its own values alone. */
async function topValues(
  { clause, path }: { readonly clause: Clause; readonly path: string },
  limit: number,
  reading: Reading,
): Promise<FacetsResponse | undefined> {
  const { aggregations } = await aggregate<{
    values?: {
      doc_count_error_upper_bound: number;
      sum_other_doc_count: number;
      buckets: { key: string; doc_count: number }[];
    };
  }>(reading, {
    query: clause,
    aggs: {
      values: {
        terms: {
          field: path,
          size: SHARD_VALUES,
          shard_size: SHARD_VALUES,
          exclude: [''],
          order: [{ _count: 'desc' }, { _key: 'asc' }],
        },
      },
    },
  });
  const { values } = aggregations ?? {};
  if (values === undefined) return topOf(new Map(), limit);
  const { buckets, doc_count_error_upper_bound, sum_other_doc_count } = values;
  if (doc_count_error_upper_bound !== 0 || sum_other_doc_count !== 0) return undefined;
  return topOf(new Map(buckets.map(({ key, doc_count }) => [key, doc_count])), limit);
}

async function allCounts(
  clause: Clause,
  path: string,
  reading: Reading,
): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  for await (const values of allValues(clause, path, reading)) {
    for (const { value, count } of values) if (value !== '') counts.set(value, count);
    if (counts.size > FACET_VALUES_MAX) throw tooManyValues();
  }
  return counts;
}

async function readCounts(
  query: Query,
  path: string,
  reading: Reading,
): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  for await (const { fits } of matches({ query, newestFirst: true, valuesOf: path }, reading)) {
    for (const { hit } of fits) {
      for (const value of new Set(hit.values)) {
        if (value !== '') counts.set(value, (counts.get(value) ?? 0) + 1);
      }
    }
    if (counts.size > FACET_VALUES_MAX) throw tooManyValues();
  }
  return counts;
}

function topOf(counts: ReadonlyMap<string, number>, limit: number): FacetsResponse {
  const facets: Facet[] = [...counts]
    .sort(([a, countA], [b, countB]) => countB - countA || (a < b ? -1 : 1))
    .slice(0, limit)
    .map(([value, count]) => ({ value, count: BigInt(count) }));
  return { facets, valueCount: BigInt(counts.size) };
}

interface CountedValue {
  readonly value: string;
  readonly count: number;
}

/** Every value of a field with its exact count, in the order of values. */
async function* allValues(
  query: Clause,
  path: string,
  searched: Searched,
): AsyncIterable<readonly CountedValue[]> {
  let after: object | undefined;
  do {
    const { aggregations } = await aggregate<{
      values?: {
        after_key?: object;
        buckets: { key: { value: string }; doc_count: number }[];
      };
    }>(searched, {
      query,
      aggs: {
        values: {
          composite: {
            size: VALUES_PAGE,
            sources: [{ value: { terms: { field: path } } }],
            ...(after && { after }),
          },
        },
      },
    });
    const { buckets = [], after_key } = aggregations?.values ?? {};
    yield buckets.map(({ key, doc_count }) => ({ value: key.value, count: doc_count }));
    after = buckets.length < VALUES_PAGE ? undefined : after_key;
  } while (after !== undefined);
}

interface Aggregated<Aggregations> {
  readonly hits: { readonly total?: { readonly value: number } };
  readonly aggregations?: Aggregations;
}

function aggregate<Aggregations>(
  { opensearch, pattern, signal }: Searched,
  body: object,
): Promise<Aggregated<Aggregations>> {
  return opensearch.request<Aggregated<Aggregations>>(
    {
      method: 'POST',
      path: `/${pattern}/_search`,
      parameters: COMPLETE,
      body: { size: 0, track_total_hits: false, ...body },
    },
    signal,
  );
}

function tooManyBuckets(intervalSeconds: number): RpcError {
  return new RpcError(
    status.INVALID_ARGUMENT,
    `interval_seconds: ${intervalSeconds} gives more than ${BUCKETS_MAX} buckets between the first and the last event; ` +
      'ask for a longer interval, or give start and end',
  );
}

function tooManyValues(): RpcError {
  return new RpcError(
    status.RESOURCE_EXHAUSTED,
    `the field has more than ${FACET_VALUES_MAX} values among these events; ask for a shorter time or more conditions`,
  );
}
