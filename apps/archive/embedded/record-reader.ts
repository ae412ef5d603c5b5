import { status } from '@grpc/grpc-js';
import { decompressBlock, sliceBlock, sliceBounds } from '@auditing/audit-event/block';
import { KEY_BYTES } from '@auditing/audit-event/event-key';
import { typedEvent, type EventExtras } from '@auditing/audit-event/typed-event';
import { SINGLE_READ_BYTES } from '@auditing/journal/frame-reader';
import { placeInJournal, type Journal, type SingleReader } from '@auditing/journal/journal';
import { KeptBatch } from '@auditing/proto/archive';
import { serialized } from '@auditing/proto/encoded';
import {
  Codec,
  Field,
  Source,
  Strip,
  type AuditEvent,
  type EventBatch,
  type Finding,
  type RuleName,
  type Verdict,
} from '@auditing/proto/event';
import { firstMessage } from '@auditing/rule-engine/finding-message';
import { RpcError } from '@auditing/service/rpc-error';

import { ByteCache } from './byte-cache';
import { toldBatch } from './log-record';
import { MovedRecords, type MovedRecord } from './moved-records';
import { receivedAtOf, splitBatches } from './split-batches';

/** Decompressed records kept for the next question: searches read neighbours, and pages follow each other. */
const RECORD_CACHE_BYTES = 24 * 2 ** 20;

/** Single events kept for it: those of a rare kind lie in as many records, more than can be kept. */
const EVENT_CACHE_BYTES = 8 * 2 ** 20;

/** What an event takes in memory besides its bytes, roughly. */
const EVENT_OVERHEAD_BYTES = 1024;

/** One event of a record, in memory of its own: a view would hold the whole record as long as an answer is under way. */
export class CutEvent {
  constructor(
    /** Its archived bytes. */
    readonly bytes: Buffer,
    readonly extras: EventExtras,
  ) {}

  /** The event as queries give it. */
  typed(includeRaw: boolean): AuditEvent {
    return typedEvent(this.bytes, { ...this.extras, includeRaw });
  }
}

/** A record of the log, decompressed. */
export class StoredRecord {
  readonly #raw: Buffer;
  /** Where each event begins in `#raw`, and where the last one ends. */
  readonly #bounds: Uint32Array;
  #receivedAtUs: ((event: number) => number) | undefined;

  constructor(
    readonly kept: KeptBatch,
    raw: Buffer,
  ) {
    this.#raw = raw;
    this.#bounds = sliceBounds(raw, kept.batch?.sliceBytes ?? []);
  }

  /** The archived bytes of all events, in order, as views. */
  get events(): readonly Buffer[] {
    return sliceBlock(this.#raw, this.kept.batch?.sliceBytes ?? []);
  }

  /** An event by itself. */
  cut(index: number): CutEvent {
    const { batch, verdicts } = this.kept;
    const verdict = verdictOn(verdicts?.verdicts ?? [], index);
    const findings = verdict?.findings ?? [];
    const keys = batch?.keys ?? Buffer.alloc(0);
    return new CutEvent(
      Buffer.from(this.#raw.subarray(this.#bounds[index] ?? 0, this.#bounds[index + 1] ?? 0)),
      {
        key: Buffer.from(keys.subarray(index * KEY_BYTES, (index + 1) * KEY_BYTES)),
        listSource: sourceOf(this.kept, index),
        receivedAtUs: (this.#receivedAtUs ??= receivedAtOf(this.kept))(index),
        workspace: verdict?.workspace ?? '',
        rules: findings.map(({ rule }) => verdicts?.rules[rule]?.name ?? ''),
        messageOf: messageMaker(findings, verdicts?.rules ?? []),
        strip: verdict?.strip ?? Strip.UNSPECIFIED,
      },
    );
  }
}

/**
 * Apart, and with nothing but what it needs: a function made in `cut` would hold on to the verdicts of the whole record as long as
 * one of its events is kept.
 */
function messageMaker(
  findings: readonly Finding[],
  all: readonly RuleName[],
): EventExtras['messageOf'] {
  const rules = findings.map(({ rule }) => all[rule]);
  const own = findings.map((finding, rule) => ({ ...finding, rule }));
  return (event) => firstMessage(own, rules, event);
}

/** The verdict on an event. There is one on each, in order, unless the gateway was of another mind. */
function verdictOn(verdicts: readonly Verdict[], event: number): Verdict | undefined {
  const likely = verdicts[event];
  return likely?.event === event ? likely : verdicts.findLast((one) => one.event === event);
}

/** Reads records of the log by position. */
export class RecordReader {
  readonly #records = new ByteCache<StoredRecord>(RECORD_CACHE_BYTES);
  readonly #events = new ByteCache<CutEvent | undefined>(EVENT_CACHE_BYTES);
  readonly #moved: MovedRecords;

  constructor(
    readonly journal: Pick<Journal, 'read' | 'reader' | 'segments' | 'start' | 'end'>,
    /** Told of each damaged record that `readWhole` passed over. */
    readonly onDamage: (error: RpcError) => void,
  ) {
    this.#moved = new MovedRecords(journal);
  }

  /** The bytes of the events of a record, in order; undefined as with `readWhole`. It is not kept, as `readData` says. */
  async readEvents(position: number): Promise<readonly Buffer[] | undefined> {
    const [data] = await this.readData([position], SINGLE_READ_BYTES);
    if (data === undefined) return undefined;
    try {
      const { batch } = KeptBatch.decode(data);
      return sliceBlock(await expandedBlock(batch), batch?.sliceBytes ?? []);
    } catch (cause) {
      this.reportUnreadable(position, cause);
      return undefined;
    }
  }

  /**
   * Records as they are in the log; undefined for one that retention has removed or that is damaged, which is reported.
   * They are not kept: a search through everything would drive out what is asked for again. Their memory is the caller's,
   * who may give it away. `aheadBytes` are read at once.
   */
  async readData(
    positions: readonly number[],
    aheadBytes: number,
  ): Promise<readonly (Buffer | undefined)[]> {
    const reader = this.journal.reader(aheadBytes);
    const found: (Buffer | undefined)[] = [];
    try {
      for (const position of positions) {
        const reading = this.#isRemoved(position)
          ? Promise.resolve(undefined)
          : this.#dataAt(position, reader);
        found.push(await reading.catch((cause: unknown) => this.reportUnreadable(position, cause)));
      }
      return found;
    } finally {
      await reader.close();
    }
  }

  /** Reports a damaged record, unless retention has removed it meanwhile. */
  reportUnreadable(position: number, cause: unknown): undefined {
    if (!this.#isRemoved(position)) this.onDamage(unreadable(position, cause));
  }

  /** One event of a record; undefined as with `readWhole`. */
  readEvent(position: number, event: number): Promise<CutEvent | undefined> {
    return this.#passingOver(() => {
      if (this.#isRemoved(position)) return Promise.resolve(undefined);
      return this.#events.get(`${position}/${event}`, async () => {
        const value = (await this.read(position))?.cut(event);
        return { value, bytes: EVENT_OVERHEAD_BYTES + (value?.bytes.length ?? 0) };
      });
    });
  }

  /** As `read`, but a damaged record is reported and passed over: it must not hide all others from every search. */
  readWhole(position: number): Promise<StoredRecord | undefined> {
    return this.#passingOver(() => this.read(position));
  }

  async #passingOver<T>(read: () => Promise<T | undefined>): Promise<T | undefined> {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      this.onDamage(error);
      return undefined;
    }
  }

  /**
   * The record at a position; undefined if retention has removed it.
   *
   * @throws DATA_LOSS if what is on disk there is damaged.
   */
  async read(position: number): Promise<StoredRecord | undefined> {
    if (this.#isRemoved(position)) return undefined;
    try {
      return await this.#records.get(String(position), () => this.#load(position));
    } catch (error) {
      if (this.#isRemoved(position)) return undefined;
      throw unreadable(position, error);
    }
  }

  async #load(position: number): Promise<{ value: StoredRecord; bytes: number }> {
    const reader = this.journal.reader(SINGLE_READ_BYTES);
    try {
      const data = await this.#dataAt(position, reader);
      const record = KeptBatch.decode(data);
      const [told, raw] = await Promise.all([toldBatch(record), expandedBlock(record.batch)]);
      return { value: new StoredRecord(told, raw), bytes: 4 * data.length + raw.length };
    } finally {
      await reader.close();
    }
  }

  #isRemoved(position: number): boolean {
    return placeInJournal(position) < this.journal.start;
  }

  /** The record at a position; if it was joined with others since, as it was before. */
  async #dataAt(position: number, reader: SingleReader): Promise<Buffer> {
    try {
      return (await reader.readAt(position)).data;
    } catch (error) {
      const moved = await this.#moved.find(position);
      if (moved === undefined) throw error;
      return await this.#movedData(moved);
    }
  }

  async #movedData({ position, batch }: MovedRecord): Promise<Buffer> {
    const record = await this.read(position);
    const own = record && [...splitBatches(record.kept, record.events, 0)][batch];
    if (own === undefined) throw unreadable(position, 'it holds no such batch');
    const raw = Buffer.concat(own.slices);
    const block = { codec: Codec.NONE, data: raw, rawBytes: raw.length };
    const kept = { ...own.kept, batch: { ...own.kept.batch, block } };
    return serialized(KeptBatch, kept);
  }
}

function unreadable(position: number, cause: unknown): RpcError {
  return new RpcError(
    status.DATA_LOSS,
    `the record at position ${placeInJournal(position)} of the log cannot be read`,
    { cause },
  );
}

/** Decompresses a batch. Rejects with BlockError if its block is damaged or not what the batch says. */
export async function storedRecord(kept: KeptBatch): Promise<StoredRecord> {
  return new StoredRecord(kept, await expandedBlock(kept.batch));
}

async function expandedBlock(batch: EventBatch | undefined): Promise<Buffer> {
  return batch?.block === undefined ? Buffer.alloc(0) : decompressBlock(batch.block);
}

function sourceOf({ batch }: KeptBatch, event: number): Source {
  const column = batch?.columns.find(({ field }) => field === Field.SOURCE);
  const value = column?.values[(column.rows[event] ?? 0) - 1];
  if (value === 'kubernetes') return Source.KUBERNETES;
  return value === 'kube-ai-hub' ? Source.KUBE_AI_HUB : Source.UNSPECIFIED;
}
