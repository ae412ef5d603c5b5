import { join } from 'node:path';

import type {
  FacetsRequest,
  HistogramRequest,
  KeptBatch,
  Query,
  SearchRequest,
  StatsResponse,
  TailRequest,
  VerifyRequest,
} from '@auditing/proto/archive';
import type { AuditEvent } from '@auditing/proto/event';
import { Bell } from '../bell';
import type { Engine, EngineGauges } from '../engine';
import { facets, histogram, statistics } from './aggregate';
import { ByteCache } from './byte-cache';
import { writeCheckpoint, type Checkpoint } from './checkpoint';
import type { EmbeddedOptions } from './embedded-options';
import { eventStats } from './event-stats';
import { Pace } from './pace';
import { rebuildIndex } from './rebuild';
import { recoverLog, type RecoveredLog } from './recover-log';
import { RecordReader } from './record-reader';
import { writeResumeToken } from './resume-token';
import { readRetentionRecord, retain } from './retention';
import type { SidecarStore } from './sealed-segment';
import { SegmentJoiner } from './segment-joiner';
import { search, type Searched } from './search';
import { Segments } from './segments';
import { eventByKey } from './stored-keys';
import { removeStrays } from './strays';
import { tail } from './tail';
import { segmentsUpTo, verifyLog } from './verify';
import { Writer } from './writer';

/** How often the head of the chain is published in the log, beside the ends of segments. */
const CHECKPOINT_EVERY_MS = 10 * 60_000;

/**
 * Rows after which the index of the current segment is saved: a start after a crash makes anew what was not, some 100,000
 * rows a second. Rare enough to cost less than a hundredth of ingest.
 */
const SAVE_ROWS = 131_072;
/** The same at maintenance, each minute: saving so few costs little beside a minute. */
const SAVE_ROWS_NOW_AND_THEN = 8192;
/** The same when the archive is closed. */
const SAVE_ROWS_AT_CLOSE = 1;

/**
 * Opens the archive in a folder:
 *
 *     log/             the truth: a journal of KeptBatch records, whose segments form a chain of hashes
 *     index/           a sidecar for each segment, derived from the log; of the last one what was indexed when it was saved
 *     retention.json   what was removed last
 *
 * @throws Error if a newer release wrote the files, JournalFailedError if the disk fails.
 */
export async function openEmbeddedEngine(options: EmbeddedOptions): Promise<EmbeddedEngine> {
  const { directory, files, log } = options;
  const indexFolder = join(directory, 'index');
  await files.makeDirectory(indexFolder);
  const damage = { count: 0 };
  const onDamage = (err: unknown): void => {
    damage.count += 1;
    log.error({ err }, 'a damaged record of the log is passed over');
  };
  const recovered = await recoverLog({
    directory: join(directory, 'log'),
    files,
    sidecars: { files, directory: indexFolder },
    onDamage,
    onStaleIndex: (details) =>
      log.warn(details, 'the saved index does not fit the log, or is damaged: it is made anew'),
    onRepair: (repair) =>
      log.warn(repair, 'torn end of the log was cut off: it was never acknowledged'),
  });
  const { journal } = recovered;
  const starts = journal.segments().map(({ start }) => start);
  await removeStrays(files, { archive: directory, index: indexFolder }, starts);
  const joiner = new SegmentJoiner(journal, log);
  const store: SidecarStore = {
    files,
    directory: indexFolder,
    cache: new ByteCache(options.indexCacheBytes),
    rebuild: (place) => rebuildIndex(journal, place, onDamage),
    onTrouble: (message, details) => log.warn(details, message),
    join: joiner.join,
  };
  const segments = new Segments(store, recovered.index, recovered.savedRowCount);
  for (const { start, end, isRewritten } of journal.segments())
    if (start < recovered.index.start) segments.addSealed({ start, end, isRewritten });
  return new EmbeddedEngine(options, {
    ...recovered,
    segments,
    reader: new RecordReader(journal, onDamage),
    damage,
    joiner,
  });
}

interface EngineParts extends RecoveredLog {
  readonly segments: Segments;
  readonly reader: RecordReader;
  readonly damage: { readonly count: number };
  readonly joiner: SegmentJoiner;
}

/** The archive on the disk of one machine. */
export class EmbeddedEngine implements Engine {
  readonly #options: EmbeddedOptions;
  readonly #parts: EngineParts;
  readonly #writer: Writer;
  readonly #stored = new Bell();
  #published = { position: -1, atMs: -Infinity };
  #removedSegmentCount = 0;
  #sealedIndexBytes = 0;

  constructor(options: EmbeddedOptions, parts: EngineParts) {
    this.#options = options;
    this.#parts = parts;
    this.#writer = new Writer({
      ...parts,
      limits: options.segment,
      onStored: () => {
        this.#stored.ring();
        if (parts.segments.current.rowCount < options.segment.rows) this.#saveIndex(SAVE_ROWS);
      },
      // The hash is published here: whoever keeps this line elsewhere can prove later what was there now.
      onSealed: (checkpoint) => this.#publish(checkpoint, 'segment sealed'),
    });
  }

  append(kept: KeptBatch, settledBelow: bigint): ReturnType<Engine['append']> {
    return this.#writer.append(kept, settledBelow);
  }

  async *search(request: SearchRequest, signal: AbortSignal): ReturnType<Engine['search']> {
    yield* search(request, await this.#searched(signal));
  }

  async get(key: Buffer): Promise<AuditEvent | undefined> {
    const { segments, reader } = this.#parts;
    return eventByKey(await segments.snapshot(), reader, key);
  }

  async statistics(query: Query, signal: AbortSignal): ReturnType<Engine['statistics']> {
    return statistics(query, await this.#searched(signal));
  }

  async histogram(request: HistogramRequest, signal: AbortSignal): ReturnType<Engine['histogram']> {
    return histogram(request, await this.#searched(signal));
  }

  async facets(request: FacetsRequest, signal: AbortSignal): ReturnType<Engine['facets']> {
    return facets(request, await this.#searched(signal));
  }

  tail(request: TailRequest, signal: AbortSignal): AsyncIterable<AuditEvent> {
    const { segments, reader } = this.#parts;
    const { threads } = this.#options;
    const stored = (until: AbortSignal): Promise<void> => this.#stored.next(until);
    return tail(request, { segments, reader, threads, stored }, signal);
  }

  /**
   * Ends a segment that has grown old, and removes what is not to be kept any longer, when all that ended before is sealed.
   * Called now and then; `closing` aborts when the archive is about to be closed.
   */
  async maintain(closing?: AbortSignal): Promise<void> {
    const stop = (): void => this.#parts.joiner.stop();
    closing?.addEventListener('abort', stop);
    try {
      await this.#maintain();
    } finally {
      closing?.removeEventListener('abort', stop);
    }
  }

  async #maintain(): Promise<void> {
    const { journal, segments } = this.#parts;
    const { directory, retention, segment, log, now } = this.#options;
    const bornAtUs = segments.current.oldestReceivedUs;
    if (bornAtUs !== 0 && bornAtUs < (now() - segment.ageMs) * 1000) await this.#writer.roll();
    const removed = await retain({ journal, segments, directory }, retention, now());
    for (const { place } of removed) log.info(place, 'segment removed by retention');
    this.#removedSegmentCount += removed.length;
    this.#saveIndex(SAVE_ROWS_NOW_AND_THEN);
    this.#publishHead();
    this.#sealedIndexBytes = (await segments.sealed()).reduce((sum, { bytes }) => sum + bytes, 0);
  }

  async *verify(request: VerifyRequest, signal: AbortSignal): ReturnType<Engine['verify']> {
    const { directory, files } = this.#options;
    const { journal } = this.#parts;
    const removed = await readRetentionRecord(files, directory);
    const head = this.#writer.head();
    yield* verifyLog(request, {
      journal,
      files,
      removed,
      segments: segmentsUpTo(head, journal.segments()),
      headCheckpoint: this.#headCheckpoint(),
      pace: new Pace(Infinity, signal),
    });
  }

  async stats(): Promise<StatsResponse> {
    const { journal, segments } = this.#parts;
    const { retention } = this.#options;
    const { memoryBytes, indexBytes, segmentCount, damagedRecordCount } = this.gauges();
    return {
      engine: 'embedded',
      ...eventStats((await segments.snapshot()).map(({ summary }) => summary)),
      logBytes: BigInt(journal.bytes),
      indexBytes: BigInt(indexBytes),
      memoryBytes: BigInt(memoryBytes),
      segmentCount,
      damagedRecordCount: BigInt(damagedRecordCount),
      headCheckpoint: this.#headCheckpoint(),
      resumeToken: writeResumeToken(segments.current, segments.current.rowCount),
      retentionSeconds: BigInt(Math.round(retention.ageMs / 1000)),
      retentionBytes: BigInt(Math.round(retention.bytes)),
    };
  }

  gauges(): EngineGauges {
    const { journal, segments, damage, joiner } = this.#parts;
    return {
      logBytes: journal.bytes,
      indexBytes: this.#sealedIndexBytes,
      memoryBytes: segments.current.bytes + segments.store.cache.bytes,
      segmentCount: journal.segments().length,
      removedSegmentCount: this.#removedSegmentCount,
      joinedSegmentCount: joiner.joinedCount,
      failedJoinCount: joiner.failedCount,
      damagedRecordCount: damage.count,
      searchThreadCount: this.#options.threads.readyCount,
    };
  }

  async close(): Promise<void> {
    this.#parts.joiner.stop();
    await this.#writer.idle();
    this.#saveIndex(SAVE_ROWS_AT_CLOSE);
    await this.#parts.segments.settled();
    await this.#parts.journal.close();
  }

  /** Saves the index of the current segment, if a crash would cost so many rows. Not waited for. */
  #saveIndex(rowCount: number): void {
    const { segments } = this.#parts;
    if (segments.unsavedRowCount >= rowCount) void segments.save(() => this.#writer.head());
  }

  #headCheckpoint(): string {
    const head = this.#writer.head();
    return head === undefined ? '' : writeCheckpoint(head, this.#options.checkpointKey);
  }

  /** Once in a while, if something was stored since: an archive in which little happens has proof of it too. */
  #publishHead(): void {
    const head = this.#writer.head();
    const nowMs = this.#options.now();
    const isDue = Math.abs(nowMs - this.#published.atMs) >= CHECKPOINT_EVERY_MS;
    if (head !== undefined && isDue && head.position !== this.#published.position)
      this.#publish(head, 'checkpoint');
  }

  #publish(checkpoint: Checkpoint, message: string): void {
    const { log, checkpointKey, now } = this.#options;
    this.#published = { position: checkpoint.position, atMs: now() };
    log.info({ checkpoint: writeCheckpoint(checkpoint, checkpointKey) }, message);
  }

  async #searched(signal: AbortSignal): Promise<Searched> {
    const { segments, reader } = this.#parts;
    return {
      segments: await segments.snapshot(),
      reader,
      threads: this.#options.threads,
      pace: new Pace(this.#options.queryTimeoutMs, signal),
    };
  }
}
