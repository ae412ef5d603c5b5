import { randomBytes } from 'node:crypto';
import { statfs } from 'node:fs/promises';
import { compressBlock } from '@auditing/audit-event/block';
import type { DecodedBody } from '@auditing/audit-event/decode-body';
import { rememberDecoded } from '@auditing/audit-event/decoded-batch';
import type { DecodedEvent } from '@auditing/audit-event/decoded-event';
import type { Files } from '@auditing/journal/files';
import type { Journal, JournalRecord } from '@auditing/journal/journal';
import { JournalFullError } from '@auditing/journal/journal-error';
import { openJournal } from '@auditing/journal/open-journal';
import { encoded } from '@auditing/proto/encoded';
import { EventBatch, type Source } from '@auditing/proto/event';
import { SpooledPart } from '@auditing/proto/spool';
import { FollowedJournal } from './followed-journal';
import { headOf, tellRecent, type SpooledBody } from './spooled-bodies';

/** One part of a body, durable, waiting to be drained. */
export interface SpoolPart {
  /** Where it lies in the spool. */
  readonly position: number;
  /** Position after it: the cursor once it is done with. */
  readonly next: number;
  /**
   * Its id, received_at_us, event_count, block and slice_bytes; the rest is derived when it is drained. Within an
   * epoch (sequence, part) rises with the position. If the part is fresh, its decoded events are remembered
   * (`@auditing/audit-event/decoded-batch`).
   */
  readonly batch: EventBatch;
  /** Who emitted those events whose own keys do not say so. */
  readonly listSource: Source;
  /** W3C traceparent of the POST that brought it; empty if that is not traced. */
  readonly traceParent: string;
  /** Marker of the probe whose event it is; empty for what senders sent. */
  readonly probe: string;
}

/** What is written of a body beside its events. */
export interface BodyMeta {
  /** When the gateway had the whole body, in microseconds since 1970 (UTC). */
  readonly receivedAtUs: number;
  /** SHA-256 of the whole body, by which a re-sent copy is known. */
  readonly bodyHash: Buffer;
  /** How many events of the body are in the spool already. Default 0. */
  readonly eventsBefore?: number;
  /** False if more events of the body follow in another put. Default true. */
  readonly bodyEnd?: boolean;
  /** W3C traceparent of its POST. Default: it is not traced. */
  readonly traceParent?: string;
  /** Marker of the probe that made it. Default: a sender sent it. */
  readonly probe?: string;
}

/** How a spool is opened. */
export interface SpoolOptions {
  readonly directory: string;
  /** Most bytes on disk. */
  readonly maxBytes: number;
  /** Size at which a segment is ended; trimming frees whole ones. Default: as the journal. */
  readonly segmentBytes?: number;
  /** Most bytes of memory for fresh parts. */
  readonly memoryBytes: number;
  /** Told of each part of a body that came lately, oldest first. */
  readonly onSpooledBody?: (body: SpooledBody) => void;
  /** Told of a torn tail that was cut off: nothing in it was answered with 200. */
  readonly onRepair?: (repair: { path: string; position: number; cutBytes: number }) => void;
  /** File operations; the real ones unless a test gives others. */
  readonly files?: Files;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** Thrown when the spool has no room: its limit is reached or the disk is full. */
export class SpoolFullError extends Error {
  override readonly name = 'SpoolFullError';
}

/** Thrown when the disk failed; a later put may succeed. */
export class SpoolFailedError extends Error {
  override readonly name = 'SpoolFailedError';
}

/**
 * A part is ended before it passes this size, unless it is a single event: zstd gains little beyond, and what is
 * drained must fit into memory several times.
 */
const PART_BYTES = 1 << 20;

/** A part is ended at this many events: a flood of tiny ones must not become one huge set of columns. */
const PART_EVENTS = 4_096;

/**
 * What a fresh part costs in memory, as a multiple of its events' bytes: the events as they lie in their body, their
 * compressed block, and their rows in a table.
 */
const MEMORY_FACTOR = 2;

/** What it costs beside that: its table has a dozen and a half columns, however few events are in it. */
const PART_MEMORY_BYTES = 8 * 2 ** 10;

const NO_EVENTS = EventBatch.create();

/**
 * Bodies that are answered with 200 and not drained yet, in the order in which they came. What `put` resolved for
 * survives a crash; what it rejected may be there in part, which a re-sent copy goes on from.
 */
export class Spool {
  /** 16 random hexadecimal digits, new whenever the spool is opened: no batch id is ever used twice. */
  readonly epoch = randomBytes(8).toString('hex');
  readonly #journal: Journal;
  readonly #followed: FollowedJournal<SpoolPart>;
  readonly #options: SpoolOptions;
  #sequence = 0n;

  private constructor(journal: Journal, options: SpoolOptions) {
    this.#journal = journal;
    this.#options = options;
    const { memoryBytes } = options;
    this.#followed = new FollowedJournal({ journal, decode: partOf, memoryBytes });
  }

  static async open(options: SpoolOptions): Promise<Spool> {
    const { directory, maxBytes, segmentBytes, files, onRepair, onSpooledBody } = options;
    const now = options.now ?? Date.now;
    const journal = await openJournal({
      directory,
      maxBytes,
      // When the segment was begun: tells at start which segments hold recent bodies.
      segmentHead: () => headOf(now()),
      ...(segmentBytes !== undefined && { segmentBytes }),
      ...(files && { files }),
      ...(onRepair && { onRepair }),
    });
    if (onSpooledBody) await tellRecent(journal, now(), onSpooledBody);
    return new Spool(journal, options);
  }

  /** Position of the oldest part that is still there. */
  get start(): number {
    return this.#journal.start;
  }

  /** Durable end: parts at or beyond it do not exist yet. */
  get end(): number {
    return this.#journal.end;
  }

  /** Bytes on disk. */
  get bytes(): number {
    return this.#journal.bytes;
  }

  /** Most bytes on disk: beyond it bodies are refused. */
  get maxBytes(): number {
    return this.#options.maxBytes;
  }

  /**
   * Cuts events into parts of about 1 MB, writes them, resolves when all are on disk.
   *
   * @throws {SpoolFullError} if there is no room.
   * @throws {SpoolFailedError} if the disk failed.
   */
  async put(body: Pick<DecodedBody, 'events' | 'listSource'>, meta: BodyMeta): Promise<void> {
    const cuts = cutParts(body.events);
    if (cuts.length === 0) return;
    const blocks = await Promise.all(
      cuts.map((events) => compressBlock(events.map(({ bytes }) => bytes))),
    );
    // From here to the append nothing waits, so that sequences rise with positions.
    const sequence = ++this.#sequence;
    let eventsBefore = meta.eventsBefore ?? 0;
    const { traceParent = '', probe = '' } = meta;
    const { listSource } = body;
    const parts = cuts.map((events, part) => {
      // Not by create(), which copies all that it is given.
      const batch: EventBatch = {
        ...NO_EVENTS,
        id: { epoch: this.epoch, sequence, part, firstEvent: 0, eventCount: 0 },
        receivedAtUs: meta.receivedAtUs,
        eventCount: events.length,
        block: blocks[part],
        sliceBytes: events.map(({ bytes }) => bytes.length),
      };
      const spooled: SpooledPart = {
        batch,
        bodyHash: meta.bodyHash,
        partCount: cuts.length,
        listSource,
        traceParent,
        probe,
        eventsBefore,
        bodyEnd: (meta.bodyEnd ?? true) && part === cuts.length - 1,
      };
      eventsBefore += events.length;
      return { spooled, batch, events };
    });
    const { positions, end } = await this.#append(
      parts.map(({ spooled }) => encoded(SpooledPart, spooled)),
    );
    parts.forEach(({ batch, events }, index) => {
      const position = positions[index] ?? end;
      rememberDecoded(batch, events);
      const next = positions[index + 1] ?? end;
      const part = { position, next, batch, listSource, traceParent, probe };
      this.#followed.add(part, memoryOf(batch));
    });
  }

  /**
   * Parts from a position on, strictly in order, waiting for more until `signal` aborts (then it ends without
   * error). Fresh parts come from memory, older ones from disk. Any number of readers may iterate at once.
   *
   * @throws {JournalCorruptError} at a part that cannot be read; its `next` is where reading can go on.
   */
  parts(from: number, signal: AbortSignal): AsyncGenerator<SpoolPart, void> {
    return this.#followed.follow(from, signal);
  }

  /**
   * Resolves when those who drain the spool keep up, after `ms` at most: answers wait for it, so that a sender in a hurry
   * does not fill the memory.
   */
  paced(ms: number): Promise<void> {
    return this.#followed.room(ms);
  }

  /** False while a body of usual size would be refused. */
  async hasRoom(): Promise<boolean> {
    if (this.bytes + PART_BYTES > this.#options.maxBytes) return false;
    const { bavail, bsize } = await statfs(this.#options.directory);
    return bavail * bsize >= PART_BYTES;
  }

  /**
   * Lets go of the memory for parts before `position`: nobody needs them any more, though a crash might. The sooner, the
   * less of it does the garbage collector move about.
   */
  release(position: number): void {
    this.#followed.release(position);
  }

  /** Removes what lies before `position`, as far as whole segments go. */
  async trim(position: number): Promise<void> {
    this.release(position);
    await this.#journal.trim(position);
  }

  /** Waits for what is being written, then closes the files. */
  close(): Promise<void> {
    return this.#journal.close();
  }

  async #append(
    records: readonly Uint8Array[],
  ): Promise<{ positions: readonly number[]; end: number }> {
    try {
      return await this.#journal.append(records);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      if (cause instanceof JournalFullError) throw new SpoolFullError(`spool: ${why}`, { cause });
      throw new SpoolFailedError(`spool: ${why}`, { cause });
    }
  }
}

function cutParts(events: readonly DecodedEvent[]): DecodedEvent[][] {
  const parts: DecodedEvent[][] = [];
  let bytes = 0;
  for (const event of events) {
    const last = parts.at(-1);
    bytes += event.bytes.length;
    if (last && bytes <= PART_BYTES && last.length < PART_EVENTS) last.push(event);
    else {
      parts.push([event]);
      bytes = event.bytes.length;
    }
  }
  return parts;
}

function partOf({ position, next, data }: JournalRecord): { entry: SpoolPart; bytes: number } {
  const { batch, listSource, traceParent, probe } = SpooledPart.decode(data);
  if (!batch) throw new SpoolFailedError(`spool: the record at ${position} holds no batch`);
  return {
    entry: { position, next, batch, listSource, traceParent, probe },
    bytes: memoryOf(batch),
  };
}

function memoryOf({ block }: EventBatch): number {
  return PART_MEMORY_BYTES + MEMORY_FACTOR * (block?.rawBytes ?? 0);
}
