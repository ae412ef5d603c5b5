import { status } from '@grpc/grpc-js';
import type { BatchMarks } from '@auditing/audit-event/batch-marks';
import {
  JournalCorruptError,
  JournalFailedError,
  JournalFullError,
} from '@auditing/journal/journal-error';
import type { Journal, Segment } from '@auditing/journal/journal';
import type { KeptBatch } from '@auditing/proto/archive';
import type { BatchId } from '@auditing/proto/event';
import { RpcError } from '@auditing/service/rpc-error';

import type { Appended } from '../engine';
import type { Checkpoint } from './checkpoint';
import { KeyIndex } from './key-index';
import { prepare, type Prepared } from './prepare';
import type { RecordReader } from './record-reader';
import type { SegmentChain, SegmentHash } from './segment-chain';
import { SegmentIndex } from './segment-index';
import type { Segments } from './segments';
import { SidecarError } from './sidecar';

/** Batches of one fsync hold at most so many bytes of blocks, unless one alone has more. */
const GROUP_MAX_BYTES = 16 * 2 ** 20;

/** When a segment ends, whichever comes first. */
export interface SegmentLimits {
  readonly bytes: number;
  readonly rows: number;
  /** Of its index in memory. */
  readonly indexBytes: number;
}

/** The segment of the log that is written to. */
export interface CurrentSegment {
  readonly segment: Segment;
  readonly hash: SegmentHash;
}

/** What the writer works with. */
export interface WriterParts {
  readonly journal: Journal;
  readonly chain: SegmentChain;
  readonly marks: BatchMarks;
  readonly segments: Segments;
  readonly reader: RecordReader;
  readonly limits: SegmentLimits;
  /** The segment that was written to when the archive was closed; undefined if there is none yet. */
  readonly current: CurrentSegment | undefined;
  /** Told after each group that is durable and can be found. */
  readonly onStored: () => void;
  /** Told when a segment has ended: the hash is that of the whole segment. */
  readonly onSealed: (checkpoint: Checkpoint) => void;
}

interface Waiting {
  readonly kept: KeptBatch;
  readonly settledBelow: bigint;
  readonly resolve: (appended: Appended) => void;
  readonly reject: (error: unknown) => void;
}

type Ready = Waiting & { readonly prepared: Prepared };

/**
 * Writes batches to the log: all that wait go into one durable write, one write at a time, so that what is looked up for
 * duplicates is either durable or in the same write. Index and marks change only after it.
 */
export class Writer {
  readonly #parts: WriterParts;
  #current: CurrentSegment | undefined;
  /** Behind the last record that is in the hash. */
  #end: number;
  readonly #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;

  constructor(parts: WriterParts) {
    this.#parts = parts;
    this.#current = parts.current;
    this.#end = parts.journal.end;
  }

  append(kept: KeptBatch, settledBelow: bigint): Promise<Appended> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ kept, settledBelow, resolve, reject });
      this.#running ??= this.#run();
    });
  }

  /** The chain's head; undefined before the first batch of all. */
  head(): Checkpoint | undefined {
    const current = this.#current;
    if (current === undefined) return undefined;
    const { segment, hash } = current;
    return { segmentStart: segment.start, position: this.#end, hash: hash.hex() };
  }

  /** Ends the current segment, if it holds anything: the next batch begins another. */
  roll(): Promise<void> {
    return this.#parts.journal.roll();
  }

  /** Waits until nothing is being written. */
  async idle(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const group = this.#takeGroup();
      try {
        await this.#write(group);
      } catch (error) {
        for (const { reject } of group) reject(error);
      }
    }
    this.#running = undefined;
  }

  /** Two requests for the same part are never written together: the second must see the marks of the first. */
  #takeGroup(): Waiting[] {
    const group: Waiting[] = [];
    const parts = new Set<string>();
    const { rowCount } = this.#parts.segments.current;
    let bytes = 0;
    let rows = 0;
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      const part = partOf(next.kept.batch?.id);
      bytes += next.kept.batch?.block?.data.length ?? 0;
      const isFull = bytes > GROUP_MAX_BYTES || rowCount + rows >= this.#parts.limits.rows;
      if (group.length > 0 && (isFull || parts.has(part))) break;
      parts.add(part);
      rows += next.kept.batch?.eventCount ?? 0;
      group.push(next);
      this.#waiting.shift();
    }
    return group;
  }

  async #write(group: readonly Waiting[]): Promise<void> {
    const ready = await this.#prepareAll(group);
    const fresh = ready.flatMap(({ prepared }) => prepared.record ?? []);
    if (fresh.length > 0) {
      const { positions, end } = await this.#appendToLog(fresh.map(({ data }) => data));
      await this.#enterSegment();
      fresh.forEach(({ kept, contentHash }, at) => {
        this.#current?.hash.add(contentHash);
        this.#parts.segments.current.add(positions[at] ?? 0, kept);
      });
      this.#end = end;
    }
    for (const { kept, settledBelow, prepared, resolve } of ready) {
      this.#remember(kept.batch?.id, settledBelow);
      resolve(prepared);
    }
    if (fresh.length > 0) this.#parts.onStored();
    if (this.#isFull()) await this.roll();
  }

  async #prepareAll(group: readonly Waiting[]): Promise<Ready[]> {
    const { marks, segments, reader } = this.#parts;
    const eventCount = group.reduce((sum, { kept }) => sum + (kept.batch?.eventCount ?? 0), 0);
    const pendingKeys = new KeyIndex(eventCount);
    const ready: Ready[] = [];
    for (const waiting of group) {
      try {
        ready.push({
          ...waiting,
          prepared: await prepare(waiting.kept, { marks, segments, reader, pendingKeys }),
        });
      } catch (error) {
        waiting.reject(asUnavailable(error));
      }
    }
    return ready;
  }

  async #appendToLog(records: readonly Uint8Array[]): ReturnType<Journal['append']> {
    try {
      return await this.#parts.journal.append(records);
    } catch (error) {
      throw asUnavailable(error);
    }
  }

  /** After a write: if it began a new segment, seals the one before. */
  async #enterSegment(): Promise<void> {
    const { journal, chain, segments, onSealed } = this.#parts;
    const all = journal.segments();
    const last = all.at(-1);
    if (last === undefined || last.start === this.#current?.segment.start) return;
    const before = this.#current;
    this.#current = { segment: last, hash: chain.continueIn(last) };
    if (before === undefined) {
      segments.current = new SegmentIndex(last.start);
      return;
    }
    const hash = before.hash.hex();
    const checkpoint = { segmentStart: before.segment.start, position: this.#end, hash };
    const { start, isRewritten } = before.segment;
    const place = { start, end: last.start, isRewritten };
    const state = { isSealed: true, isRewritten };
    const origin = { segmentEnd: place.end, segmentHash: hash, damagedCount: 0, ...state };
    const index = segments.current;
    await segments.seal(place, { index, origin }, new SegmentIndex(last.start, index.rowCount));
    onSealed(checkpoint);
  }

  #remember(id: BatchId | undefined, settledBelow: bigint): void {
    if (id === undefined) return;
    this.#parts.marks.mark(id);
    this.#parts.marks.settle(id.epoch, settledBelow);
  }

  #isFull(): boolean {
    const { journal, segments, limits } = this.#parts;
    const { current } = segments;
    return (
      current.rowCount >= limits.rows ||
      current.bytes >= limits.indexBytes ||
      (this.#current !== undefined && journal.end - this.#current.segment.start >= limits.bytes)
    );
  }
}

function partOf(id: BatchId | undefined): string {
  return id === undefined ? '' : `${id.epoch}/${String(id.sequence)}/${id.part}`;
}

/** A disk that fails is no fault of the batch: the sender must keep it and try again. Other errors stay what they are. */
function asUnavailable(error: unknown): unknown {
  if (!(error instanceof Error) || !isOfTheDisk(error)) return error;
  return new RpcError(
    status.UNAVAILABLE,
    `the batch could not be stored, send it again later: ${error.message}`,
    { cause: error },
  );
}

function isOfTheDisk(error: Error): boolean {
  return (
    error instanceof JournalFullError ||
    error instanceof JournalFailedError ||
    error instanceof JournalCorruptError ||
    error instanceof SidecarError ||
    // Errors of node:fs have a code such as EIO.
    (!(error instanceof RpcError) && typeof (error as NodeJS.ErrnoException).code === 'string')
  );
}
