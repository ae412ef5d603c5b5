import type { BatchMarks } from '@auditing/audit-event/batch-marks';
import type { Files } from '@auditing/journal/files';
import type { Journal } from '@auditing/journal/journal';
import { JournalFailedError, JournalFullError } from '@auditing/journal/journal-error';
import { openJournal } from '@auditing/journal/open-journal';
import { DeliveryState, type RaiseRequest } from '@auditing/proto/alert';
import type { BatchId } from '@auditing/proto/event';
import { OutboxRecord, type RaisedAlert } from '@auditing/proto/outbox';
import { backoffMs, type Backoff } from '@auditing/service/retry';
import { wait } from '@auditing/service/wait';
import type { Logger } from 'pino';
import { alertIds, batchText, deliveryId } from './alert-ids';
import type { AlertEntry, AlertIndex, DeliveryEntry, HistoryLimits } from './alert-index';
import { GroupWriter, type Staged } from './group-writer';
import { newAlert, replay } from './outbox-replay';

/** Small, so that little more is kept than is needed: only whole segments are removed. */
const SEGMENT_BYTES = 8 * 1024 * 1024;
/** History may take this share of the room; beyond it the oldest of it goes, so that new alerts find room. */
const HISTORY_SHARE = 0.5;
/** Between tries to write down how deliveries ended, while the disk fails. */
const REWRITE_BACKOFF: Backoff = { initialMs: 100, maxMs: 10_000 };

/** How an outbox is opened. */
export interface OutboxOptions {
  readonly directory: string;
  readonly log: Logger;
  readonly limits: OutboxLimits;
  /** File operations; the real ones unless a test gives others. */
  readonly files?: Files;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** How much an outbox may hold. */
export interface OutboxLimits {
  readonly history: HistoryLimits;
  /** Bytes on disk from which on no alert is taken. */
  readonly maxBytes: number;
  /** Alerts not yet delivered from which on no alert is taken: each takes about 0.8 KB of memory. */
  readonly maxPending: number;
}

/** Thrown when an alert cannot be put on disk now. */
export class OutboxUnavailableError extends Error {
  override readonly name = 'OutboxUnavailableError';
}

/** What became of the alerts of a batch. */
export interface RaiseCounts {
  readonly raisedCount: number;
  readonly duplicateCount: number;
}

/** How a delivery ended. */
export type Ending =
  | { readonly delivery: DeliveryEntry; readonly state: DeliveryState.DELIVERED }
  | {
      readonly delivery: DeliveryEntry;
      readonly state: DeliveryState.DEAD;
      readonly reason: string;
    };

/** Opens an outbox and brings back what it held. */
export async function openOutbox(options: OutboxOptions): Promise<Outbox> {
  const { directory, files, log } = options;
  const journal = await openJournal({
    directory,
    segmentBytes: SEGMENT_BYTES,
    ...(files && { files }),
    onRepair: (repair) => log.warn(repair, 'outbox had a torn end, as after a crash'),
  });
  const { index, marks } = await replay(journal, log);
  return new Outbox(options, { journal, index, marks });
}

interface OutboxState {
  readonly journal: Journal;
  readonly index: AlertIndex;
  readonly marks: BatchMarks;
}

/**
 * Alerts on their way, durable before `raise` resolves. One journal holds the alerts, the batches they came in, and how
 * each delivery ended, in that order; what is pending is what has no end. In memory there is an index into it.
 */
export class Outbox {
  /** Called when an alert was raised, or a delivery of it tried or ended. */
  onChange: (alert: AlertEntry, what: 'raised' | 'changed') => void = () => undefined;
  readonly index: AlertIndex;
  readonly #options: OutboxOptions;
  readonly #journal: Journal;
  readonly #marks: BatchMarks;
  readonly #writer: GroupWriter;

  constructor(options: OutboxOptions, { journal, index, marks }: OutboxState) {
    this.#options = options;
    this.#journal = journal;
    this.index = index;
    this.#marks = marks;
    this.#writer = new GroupWriter(journal);
  }

  /** Bytes on disk. */
  get bytes(): number {
    return this.#journal.bytes;
  }

  /**
   * Takes the alerts of a batch, for these receivers. Resolves when they are on disk.
   *
   * @throws OutboxUnavailableError if there is no room or the disk fails; nothing of the batch counts as taken.
   */
  async raise(
    { id, alerts, settledBelow }: RaiseRequest & { readonly id: BatchId },
    receivers: readonly string[],
  ): Promise<RaiseCounts> {
    // Nothing to keep: a batch without alerts needs no mark, for taking it twice changes nothing.
    if (alerts.length === 0) return { raisedCount: 0, duplicateCount: 0 };
    const ids = alertIds(id, alerts);
    let fresh: RaisedAlert[] = [];
    try {
      return await this.#writer.write({
        prepare: (staged) => {
          if (this.#isTaken(id, staged)) return [];
          this.#checkRoom();
          staged.batches.add(batchText(id));
          fresh = alerts.flatMap((alert, place) => {
            const alertId = ids[place] ?? Buffer.alloc(0);
            if (this.#isKnown(alertId, staged)) return [];
            const deliveries = receivers.map((receiver) => ({
              receiver,
              id: deliveryId(alertId, receiver),
            }));
            return [{ id: alertId, alert, raisedAtUs: this.#options.now() * 1_000, deliveries }];
          });
          const batch = { id, settledBelow, alertCount: fresh.length };
          return [
            ...fresh.map((value) => encode({ $case: 'alert', value })),
            encode({ $case: 'batch', value: batch }),
          ];
        },
        apply: (positions) => {
          if (positions.length > 0) {
            this.#marks.mark(id);
            this.#marks.settle(id.epoch, settledBelow);
          }
          fresh.forEach((raised, place) => this.#add(positions[place], raised));
          return { raisedCount: fresh.length, duplicateCount: alerts.length - fresh.length };
        },
      });
    } catch (error) {
      throw unavailable(error);
    }
  }

  /** Reads an alert from disk. Throws JournalCorruptError if it is damaged. */
  async load(alert: AlertEntry): Promise<RaisedAlert> {
    const { data } = await this.#journal.readAt(alert.position);
    const { record } = OutboxRecord.decode(data);
    if (record?.$case !== 'alert') {
      throw new Error(`outbox: expected an alert at ${alert.position}, found ${record?.$case}`);
    }
    return record.value;
  }

  /**
   * Writes down how deliveries ended. If the disk fails it tries again until it can be written: an alert must not go
   * out again after a restart because its end was not recorded. Rejects with CANCELLED when the signal aborts.
   */
  async end(endings: readonly Ending[], signal: AbortSignal): Promise<void> {
    if (endings.length === 0) return;
    const nowMs = this.#options.now();
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#writer.write({
          prepare: () => endings.map((ending) => outcomeRecord(ending, nowMs)),
          apply: () => this.#applyEndings(endings, nowMs),
        });
        return;
      } catch (error) {
        if (attempt === 1) this.#options.log.error({ err: error }, 'outbox cannot be written');
        await wait(backoffMs(attempt, REWRITE_BACKOFF), signal);
      }
    }
  }

  /** A try failed; the delivery goes on. Not written down: after a restart it counts anew. */
  noteFailure(delivery: DeliveryEntry, reason: string): void {
    delivery.lastError = reason;
    this.onChange(delivery.alert, 'changed');
  }

  /** Forgets history beyond its limits and removes what nothing needs any more from disk. */
  async tidy(): Promise<void> {
    const { limits, now } = this.#options;
    this.index.forget(limits.history, now());
    for (const segment of this.#journal.segments()) {
      if (
        this.#journal.bytes - (segment.start - this.#journal.start) <=
        limits.maxBytes * HISTORY_SHARE
      )
        break;
      this.index.forgetBefore(segment.end);
    }
    if (!this.#canTrim()) return;
    let needed = 0;
    // The batches whose records go with the segments must be remembered by a record that stays.
    await this.#writer.write({
      prepare: () => {
        // Only here is every alert on disk in the index too.
        needed = this.#neededFrom();
        return [encode({ $case: 'checkpoint', value: { marks: this.#marks.snapshot() } })];
      },
      apply: () => undefined,
      // A batch before it in its group would be on disk, but not among the marks yet.
      alone: true,
    });
    await this.#journal.trim(needed);
  }

  /** Waits for what is being written and closes the files. */
  async close(): Promise<void> {
    await this.#writer.idle();
    await this.#journal.close();
  }

  /** Position of the oldest record that somebody may ask for. */
  #neededFrom(): number {
    return this.index.oldestPosition ?? this.#journal.end;
  }

  #canTrim(): boolean {
    const needed = this.#neededFrom();
    return this.#journal.segments().some(({ sealed, end }) => sealed && end <= needed);
  }

  #isTaken(id: BatchId, staged: Staged): boolean {
    return this.#marks.coversAll(id) || staged.batches.has(batchText(id));
  }

  /** Also remembers the id as about to be written. */
  #isKnown(alertId: Buffer, staged: Staged): boolean {
    const text = alertId.toString('latin1');
    if (this.index.has(text) || staged.alerts.has(text)) return true;
    staged.alerts.add(text);
    return false;
  }

  #checkRoom(): void {
    const { maxBytes, maxPending } = this.#options.limits;
    if (this.#journal.bytes >= maxBytes) {
      throw new OutboxUnavailableError(
        `the outbox is full: ${this.#journal.bytes} of ${maxBytes} bytes; bring the receivers back, or raise AUDITING_ALERT_OUTBOX_MAX_BYTES`,
      );
    }
    if (this.index.pendingCount >= maxPending) {
      throw new OutboxUnavailableError(
        `the outbox is full: ${this.index.pendingCount} alerts wait for their receivers; bring them back, or raise AUDITING_ALERT_PENDING_MAX`,
      );
    }
  }

  #add(position: number | undefined, raised: RaisedAlert): void {
    if (position === undefined)
      throw new Error('outbox: the journal gave fewer positions than records');
    this.onChange(this.index.add(newAlert(position, raised)), 'raised');
  }

  #applyEndings(endings: readonly Ending[], nowMs: number): void {
    for (const { delivery, ...ending } of endings) {
      const lastError = ending.state === DeliveryState.DEAD ? ending.reason : '';
      this.index.end(delivery, { state: ending.state, lastError, endedAtMs: nowMs });
      this.onChange(delivery.alert, 'changed');
    }
  }
}

function encode(record: NonNullable<OutboxRecord['record']>): Uint8Array {
  return OutboxRecord.encode({ record }).finish();
}

function outcomeRecord(ending: Ending, nowMs: number): Uint8Array {
  const { delivery, state } = ending;
  return encode({
    $case: 'outcome',
    value: {
      alert: BigInt(delivery.alert.position),
      receiver: delivery.receiver,
      state,
      atUs: nowMs * 1_000,
      attemptCount: delivery.attemptCount,
      reason: state === DeliveryState.DEAD ? ending.reason : '',
    },
  });
}

function unavailable(error: unknown): unknown {
  if (!(error instanceof JournalFullError || error instanceof JournalFailedError)) return error;
  return new OutboxUnavailableError(`the outbox cannot be written: ${error.message}`, {
    cause: error,
  });
}
