import { timestampFromMicros } from '@auditing/audit-event/timestamp';
import {
  StatsResponse,
  type FacetsRequest,
  type HistogramRequest,
  type KeptBatch,
  type Query,
  type SearchRequest,
  type SearchResponse,
  type TailRequest,
  type VerifyRequest,
  type VerifyResponse,
} from '@auditing/proto/archive';
import type { AuditEvent } from '@auditing/proto/event';
import type { Backoff } from '@auditing/service/retry';
import type { Logger } from 'pino';

import { Bell } from '../bell';
import type { Engine, EngineGauges } from '../engine';
import { facets, histogram, statistics } from './aggregate';
import { asRpcError } from './as-rpc-error';
import { BulkWriter } from './bulk-writer';
import type { OpenSearch } from './connect';
import { deadline } from './deadline';
import { findByKey } from './find-by-key';
import { indexNames, type IndexNames } from './index-day';
import { IndexKeeper } from './index-keeper';
import type { IndexShape } from './index-template';
import { MarkStore } from './mark-store';
import { patientReads } from './patient-reads';
import { dayIndices, retain, type DayIndex, type RetentionLimits } from './retention';
import { search } from './search';
import { shardPlaces, writeToken } from './shard-places';
import type { OnDamage, Reading } from './stored-events';
import { eventTimes } from './event-times';
import { tail } from './tail';
import { verify } from './verify';
import { writeBatch } from './writer';

/** How long the engine waits for batches under way when it is closed; then the gateway sends them again. */
const CLOSE_WAIT_MS = 5_000;

/** How the engine is opened. */
export interface OpensearchOptions {
  readonly opensearch: OpenSearch;
  readonly shape: IndexShape;
  readonly retention: RetentionLimits;
  readonly queryTimeoutMs: number;
  readonly log: Logger;
  /** How long to wait before documents are sent again; by default 0.1 to 5 s. */
  readonly backoff?: Backoff;
  /** Milliseconds since 1970: the clock by which events grow old. */
  readonly now: () => number;
}

/**
 * The archive in OpenSearch: a document an event, an index a day. It is opened whether or not OpenSearch answers: until it
 * does, what is asked is answered with UNAVAILABLE.
 */
export function openOpensearchEngine(options: OpensearchOptions): OpensearchEngine {
  return new OpensearchEngine(options);
}

/** The archive in OpenSearch. */
export class OpensearchEngine implements Engine {
  readonly #options: OpensearchOptions;
  readonly #names: IndexNames;
  readonly #keeper: IndexKeeper;
  readonly #bulk: BulkWriter;
  readonly #marks: MarkStore;
  readonly #closing = new AbortController();
  readonly #stored = new Bell();
  readonly #underWay = new Set<Promise<unknown>>();
  #indices: readonly DayIndex[] = [];
  #removedCount = 0;
  #damagedCount = 0;
  #sentAgainCount = 0;

  constructor(options: OpensearchOptions) {
    const { opensearch, shape, log, backoff } = options;
    const marksIndex = `auditing-marks-${shape.prefix}`;
    this.#options = options;
    this.#names = indexNames(shape.prefix);
    this.#keeper = new IndexKeeper({ opensearch, shape, marksIndex });
    this.#marks = new MarkStore({ opensearch, index: marksIndex, log });
    this.#bulk = new BulkWriter(opensearch, {
      onRetry: (count) => (this.#sentAgainCount += count),
      ...(backoff && { backoff }),
    });
  }

  async append(kept: KeptBatch, settledBelow: bigint): ReturnType<Engine['append']> {
    const writing = writeBatch(kept, settledBelow, {
      opensearch: this.#options.opensearch,
      keeper: this.#keeper,
      bulk: this.#bulk,
      marks: this.#marks,
      names: this.#names,
      signal: this.#closing.signal,
    });
    this.#underWay.add(writing);
    try {
      return await writing;
    } catch (error) {
      throw asRpcError(error);
    } finally {
      this.#underWay.delete(writing);
      this.#stored.ring();
    }
  }

  search(request: SearchRequest, signal: AbortSignal): AsyncIterable<SearchResponse> {
    return this.#eachInTime(signal, (reading) => search(request, reading));
  }

  get(key: Buffer, signal: AbortSignal): Promise<AuditEvent | undefined> {
    return this.#inTime(signal, (reading) => findByKey(key, reading));
  }

  statistics(query: Query, signal: AbortSignal): ReturnType<Engine['statistics']> {
    return this.#inTime(signal, (reading) => statistics(query, reading));
  }

  histogram(request: HistogramRequest, signal: AbortSignal): ReturnType<Engine['histogram']> {
    return this.#inTime(signal, (reading) => histogram(request, reading));
  }

  facets(request: FacetsRequest, signal: AbortSignal): ReturnType<Engine['facets']> {
    return this.#inTime(signal, (reading) => facets(request, reading));
  }

  tail(request: TailRequest, signal: AbortSignal): AsyncIterable<AuditEvent> {
    const tailed = {
      reading: this.#reading(signal),
      names: this.#names,
      stored: (until: AbortSignal) => this.#stored.next(until),
    };
    return explained(tail(request, tailed, signal));
  }

  verify(request: VerifyRequest, signal: AbortSignal): AsyncIterable<VerifyResponse> {
    return explained(verify(request, this.#reading(signal)));
  }

  stats(signal: AbortSignal): Promise<StatsResponse> {
    return this.#inTime(signal, async (reading) => {
      const places = await shardPlaces(reading.opensearch, this.#names, reading.signal);
      const indices = await dayIndices({ ...reading, names: this.#names }, reading.signal);
      const { eventCount, oldestUs, newestUs, newestReceivedUs } = await eventTimes(reading);
      const { ageMs, bytes } = this.#options.retention;
      return StatsResponse.fromPartial({
        engine: 'opensearch',
        eventCount: BigInt(eventCount),
        oldestEvent: timestampFromMicros(oldestUs),
        newestEvent: timestampFromMicros(newestUs),
        newestReceivedAt: timestampFromMicros(newestReceivedUs),
        logBytes: BigInt(indices.reduce((sum, index) => sum + index.bytes, 0)),
        segmentCount: indices.length,
        damagedRecordCount: BigInt(this.#damagedCount),
        resumeToken: writeToken(places, this.#names),
        retentionSeconds: BigInt(Math.round(ageMs / 1000)),
        retentionBytes: BigInt(bytes ?? 0),
      });
    });
  }

  /** Template, policy, retention, marks of gateways that are gone. */
  async maintain(): Promise<void> {
    const { opensearch, retention, shape, log, now } = this.#options;
    const { signal } = this.#closing;
    const sentAgainCount = this.#sentAgainCount;
    this.#sentAgainCount = 0;
    if (sentAgainCount > 0)
      log.warn({ sentAgainCount }, 'OpenSearch took events only when they were sent again');
    await this.#keeper.prepare(signal);
    await this.#marks.maintain(now());
    const names = this.#names;
    const removed = await retain(
      { opensearch, names, prefix: shape.prefix, log, now },
      retention,
      signal,
    );
    for (const index of removed) log.info(index, 'index removed by retention');
    this.#removedCount += removed.length;
    this.#indices = await dayIndices({ opensearch, names }, signal);
  }

  /** As of the last maintenance. */
  gauges(): EngineGauges {
    return {
      logBytes: this.#indices.reduce((sum, index) => sum + index.bytes, 0),
      indexBytes: 0,
      memoryBytes: 0,
      segmentCount: this.#indices.length,
      removedSegmentCount: this.#removedCount,
      joinedSegmentCount: 0,
      failedJoinCount: 0,
      damagedRecordCount: this.#damagedCount,
      searchThreadCount: 0,
    };
  }

  async close(): Promise<void> {
    const giveUp = setTimeout(() => this.#bulk.close(), CLOSE_WAIT_MS);
    await Promise.allSettled(this.#underWay);
    clearTimeout(giveUp);
    await this.#marks.close();
    this.#bulk.close();
    this.#closing.abort();
    await this.#options.opensearch.close();
  }

  #reading(signal: AbortSignal): Reading {
    const opensearch = patientReads(this.#options.opensearch);
    return { opensearch, pattern: this.#names.pattern, signal, onDamage: this.#onDamage };
  }

  readonly #onDamage: OnDamage = (err, document) => {
    this.#damagedCount += 1;
    this.#options.log.error({ err, ...document }, 'a damaged document is passed over');
  };

  async #inTime<T>(signal: AbortSignal, ask: (reading: Reading) => Promise<T>): Promise<T> {
    const time = deadline(this.#options.queryTimeoutMs, signal);
    try {
      return await ask(this.#reading(time.signal));
    } catch (error) {
      throw time.explain(error);
    } finally {
      time.end();
    }
  }

  async *#eachInTime<T>(
    signal: AbortSignal,
    ask: (reading: Reading) => AsyncIterable<T>,
  ): AsyncIterable<T> {
    const time = deadline(this.#options.queryTimeoutMs, signal);
    try {
      yield* ask(this.#reading(time.signal));
    } catch (error) {
      throw time.explain(error);
    } finally {
      time.end();
    }
  }
}

async function* explained<T>(answers: AsyncIterable<T>): AsyncIterable<T> {
  try {
    yield* answers;
  } catch (error) {
    throw asRpcError(error);
  }
}
