import { status } from '@grpc/grpc-js';
import type {
  FacetsRequest,
  FacetsResponse,
  HistogramRequest,
  HistogramResponse,
  Query,
  StatisticsResponse,
} from '@auditing/proto/archive';
import { Field } from '@auditing/proto/event';
import { RpcError } from '@auditing/service/rpc-error';

import { DistinctCounter } from '../distinct';
import { FACET_VALUES_MAX } from '../engine';
import { UNINDEXED_FIELDS } from '../indexed-fields';
import type { Values } from './column';
import { BucketCounts } from './bucket-counts';
import { compileQuery, fitsAll } from './condition';
import { facetValues } from './compile-condition';
import { eventsOfRows } from './event-rows';
import { requestUriOf } from './event-search';
import { scanSegment } from './scan';
import type { Searched } from './search';
import type { IndexedSegment } from './segment-index';

/** More buckets than this help nobody and cost memory: archive.proto. */
const BUCKETS_MAX = 10_000;

/** A pair of numbers in a list, roughly. */
const ENTRY_BYTES = 64;

const EVERYTHING: Query = {
  start: undefined,
  end: undefined,
  conditions: [],
  text: '',
  scope: undefined,
};

/** Counts events and distinct audit ids. */
export async function statistics(query: Query, searched: Searched): Promise<StatisticsResponse> {
  let eventCount = 0;
  const auditIds = new DistinctCounter();
  await forEachSegment(query, searched, async ({ segment, chunks }) => {
    const { codes, values } = await segment.column(Field.AUDIT_ID);
    const seen = new Uint8Array(values.length + 1);
    for await (const rows of chunks) {
      eventCount += rows.length;
      for (const row of rows) {
        const code = codes[row] ?? 0;
        if (code === 0 || seen[code] === 1) continue;
        seen[code] = 1;
        auditIds.add(values.at(code - 1) ?? '');
      }
    }
  });
  return { eventCount: BigInt(eventCount), requestCount: BigInt(auditIds.count) };
}

/** Counts events by time. */
export async function histogram(
  request: HistogramRequest,
  searched: Searched,
): Promise<HistogramResponse> {
  const counts = new BucketCounts(request.intervalSeconds * 1e6);
  const check = (): void => {
    if (counts.last - counts.first >= BUCKETS_MAX) throw tooManyBuckets(request.intervalSeconds);
  };
  await forEachSegment(
    request.query ?? EVERYTHING,
    searched,
    async ({ segment, chunks, isWhole }) => {
      if (isWhole) {
        for (const [bucket, count] of await bucketsOf(segment, counts.widthUs))
          counts.add(bucket, count);
        check();
        return;
      }
      const times = await segment.times();
      for await (const rows of chunks) {
        counts.addTimes(times, rows);
        check();
      }
    },
  );
  const { first, last, total } = counts;
  const buckets = Array.from({ length: total === 0 ? 0 : last - first + 1 }, (_, index) => ({
    start: bucketStart(first + index, request.intervalSeconds),
    count: BigInt(counts.countOf(first + index)),
  }));
  return { buckets, total: BigInt(total) };
}

/** The buckets of all events of a segment. */
function bucketsOf(segment: IndexedSegment, widthUs: number): Promise<BucketCounts['entries']> {
  return segment.derived(`buckets-${widthUs}`, async () => {
    const counts = new BucketCounts(widthUs);
    counts.addTimes((await segment.times()).subarray(0, segment.summary.rowCount));
    const value = counts.entries;
    return { value, bytes: ENTRY_BYTES * value.length };
  });
}

/** Counts events by the values of a field. */
export async function facets(request: FacetsRequest, searched: Searched): Promise<FacetsResponse> {
  const counts = new Map<string, number>();
  await forEachSegment(
    request.query ?? EVERYTHING,
    searched,
    async ({ segment, chunks, isWhole }) => {
      if (UNINDEXED_FIELDS.has(request.field)) {
        await addUris(counts, { segment, chunks, isWhole }, searched);
        return;
      }
      const { field } = request;
      const { codes, values } = await segment.column(field);
      if (isWhole) {
        addCounts(counts, { byCode: await codesOf(segment, field), values, field });
        return;
      }
      const byCode = new Uint32Array(values.length + 1);
      for await (const rows of chunks) {
        for (let place = 0; place < rows.length; place += 1)
          countOne(byCode, codes[rows[place] ?? 0] ?? 0);
      }
      addCounts(counts, { byCode, values, field });
    },
  );
  const mostFrequent = [...counts]
    .sort(([a, countA], [b, countB]) => countB - countA || (a < b ? -1 : 1))
    .slice(0, request.limit)
    .map(([value, count]) => ({ value, count: BigInt(count) }));
  return { facets: mostFrequent, valueCount: BigInt(counts.size) };
}

/** How many events of a segment have each code. */
function codesOf(segment: IndexedSegment, field: Field): Promise<Uint32Array> {
  return segment.derived(`codes-${field}`, async () => {
    const { codes, values } = await segment.column(field);
    const byCode = new Uint32Array(values.length + 1);
    for (let row = 0; row < segment.summary.rowCount; row += 1) countOne(byCode, codes[row] ?? 0);
    return { value: byCode, bytes: byCode.byteLength };
  });
}

function countOne(byCode: Uint32Array, code: number): void {
  byCode[code] = (byCode[code] ?? 0) + 1;
}

async function addUris(
  counts: Map<string, number>,
  { segment, chunks }: SegmentPart,
  searched: Searched,
): Promise<void> {
  for await (const rows of chunks) {
    for await (const { bytes } of eventsOfRows(segment, rows, searched)) {
      const uri = requestUriOf(bytes);
      if (uri !== '') counts.set(uri, (counts.get(uri) ?? 0) + 1);
    }
    refuseTooMany(counts);
  }
}

interface SegmentCounts {
  readonly byCode: Uint32Array;
  readonly values: Values;
  readonly field: Field;
}

function addCounts(counts: Map<string, number>, { byCode, values, field }: SegmentCounts): void {
  for (let code = 1; code < byCode.length; code += 1) {
    const count = byCode[code] ?? 0;
    if (count === 0) continue;
    for (const value of facetValues(field, values.at(code - 1) ?? '')) {
      counts.set(value, (counts.get(value) ?? 0) + count);
    }
  }
  refuseTooMany(counts);
}

function refuseTooMany(counts: ReadonlyMap<string, number>): void {
  if (counts.size > FACET_VALUES_MAX) {
    throw new RpcError(
      status.RESOURCE_EXHAUSTED,
      `the field has more than ${FACET_VALUES_MAX} values among these events; ask for a shorter time or more conditions`,
    );
  }
}

/** What of a segment is counted. */
interface SegmentPart {
  readonly segment: IndexedSegment;
  /** The rows that fit. */
  readonly chunks: AsyncIterable<Uint32Array>;
  /** True: every row fits, so that what was counted of the whole segment before need not be counted again. */
  readonly isWhole: boolean;
}

async function forEachSegment(
  query: Query,
  { segments, ...reading }: Searched,
  count: (part: SegmentPart) => Promise<void>,
): Promise<void> {
  const compiled = compileQuery(query);
  for (const segment of segments) {
    const { rowCount, minTimeUs, maxTimeUs } = segment.summary;
    if (rowCount === 0 || maxTimeUs < compiled.startUs || minTimeUs > compiled.endUs) continue;
    await reading.pace.breathe();
    await count({
      segment,
      chunks: scanSegment(segment, { ...reading, query: compiled, backwards: false }),
      isWhole: fitsAll(compiled, segment.summary),
    });
  }
}

function bucketStart(bucket: number, seconds: number): { seconds: bigint; nanos: number } {
  return { seconds: BigInt(bucket * seconds), nanos: 0 };
}

function tooManyBuckets(intervalSeconds: number): RpcError {
  return new RpcError(
    status.INVALID_ARGUMENT,
    `interval_seconds: ${intervalSeconds} gives more than ${BUCKETS_MAX} buckets between the first and the last event; ` +
      'ask for a longer interval, or give start and end',
  );
}
