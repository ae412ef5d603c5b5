import type {
  FacetsRequest,
  FacetsResponse,
  HistogramRequest,
  HistogramResponse,
  KeptBatch,
  Query,
  SearchRequest,
  SearchResponse,
  StatisticsResponse,
  StatsResponse,
  TailRequest,
  VerifyRequest,
  VerifyResponse,
} from '@auditing/proto/archive';
import type { AuditEvent } from '@auditing/proto/event';

/** Distinct values a facet counts at most: one client must not take all memory. About 100 bytes each. */
export const FACET_VALUES_MAX = 500_000;

/**
 * Where the archive keeps events. The service in front of it (archive-service.ts) has checked every request: an
 * engine sees only well-formed batches, and limits that are set and within bounds.
 *
 * Every query carries what its caller may see (`Query.scope`): an engine gives, counts and tails nothing outside of it.
 *
 * Export and ObjectHistory are made of searches, so no engine needs to know of them.
 *
 * Errors are RpcError with the codes of archive.proto.
 */
export interface Engine {
  /**
   * Stores what it has not seen and resolves when it is durable. `settledBelow`: sequences of the batch's epoch below
   * it will never be sent again.
   *
   * @throws UNAVAILABLE if the disk is full or fails: nothing of the batch counts as stored.
   */
  append(kept: KeptBatch, settledBelow: bigint): Promise<Appended>;
  /** Events in the order asked for, in parts; the last part carries cursor and total. */
  search(request: SearchRequest, signal: AbortSignal): AsyncIterable<SearchResponse>;
  /** The event with this key; undefined if there is none. */
  get(key: Buffer, signal: AbortSignal): Promise<AuditEvent | undefined>;
  statistics(query: Query, signal: AbortSignal): Promise<StatisticsResponse>;
  histogram(request: HistogramRequest, signal: AbortSignal): Promise<HistogramResponse>;
  facets(request: FacetsRequest, signal: AbortSignal): Promise<FacetsResponse>;
  /**
   * Events as they are stored, each with its `resumeToken`: those behind the token of the request, or from now on, until
   * `signal` aborts.
   */
  tail(request: TailRequest, signal: AbortSignal): AsyncIterable<AuditEvent>;
  /**
   * Work that is to be done now and then, such as retention. Called every minute, never twice at once. When `closing` aborts,
   * the engine is about to be closed: what takes long is given up.
   */
  maintain(closing?: AbortSignal): Promise<void>;
  /** Checks the whole archive: progress, then the result. */
  verify(request: VerifyRequest, signal: AbortSignal): AsyncIterable<VerifyResponse>;
  /** What the archive holds and takes. */
  stats(signal: AbortSignal): Promise<StatsResponse>;
  /** For metrics. */
  gauges(): EngineGauges;
  /** Finishes what is under way and closes the files. */
  close(): Promise<void>;
}

/** What became of a batch: its counts add up to the events it held. */
export interface Appended {
  readonly archivedCount: number;
  readonly duplicateCount: number;
}

/** What an engine takes and has lost. */
export interface EngineGauges {
  readonly logBytes: number;
  readonly indexBytes: number;
  /** Memory of indexes. */
  readonly memoryBytes: number;
  readonly segmentCount: number;
  /** Since the start. */
  readonly removedSegmentCount: number;
  /** Segments whose small batches were joined, since the start. */
  readonly joinedSegmentCount: number;
  /** Segments where that failed, since the start. */
  readonly failedJoinCount: number;
  /** Times that a record could not be read, since the start. */
  readonly damagedRecordCount: number;
  /** Threads that are ready to look through events for text. */
  readonly searchThreadCount: number;
}
