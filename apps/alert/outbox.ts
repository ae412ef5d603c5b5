import type { Journal } from '@auditing/journal/journal';
import { DeliveryState, type RaiseRequest } from '@auditing/proto/alert';
import type { BatchId } from '@auditing/proto/event';
import type { RaisedAlert } from '@auditing/proto/outbox';
import { backoffMs, type Backoff } from '@auditing/service/retry';
import { wait } from '@auditing/service/wait';
import type { Logger } from 'pino';
import { alertIds, batchText } from './alert-ids';
import type { AlertEntry, DeliveryEntry, Suppression } from './alert-entry';
import { GroupWriter, type Staged, type WriteJob } from './group-writer';
import {
  countsOf,
  encode,
  endOf,
  handOverRecord,
  NOTHING_RAISED,
  outcomeRecord,
  placeOf,
  readAlert,
  suppressionRecord,
  unavailable,
  type Ending,
  type RaiseCounts,
} from './outbox-records';
import {
  canTrim,
  checkRoom,
  forgetHistory,
  neededFrom,
  type Held,
  type OutboxLimits,
} from './outbox-room';
import type { OutboxState } from './outbox-state';
import { planAlert, planProbe } from './raise-plan';

/** Between tries to write down how deliveries ended, while the disk fails. */
const REWRITE_BACKOFF: Backoff = { initialMs: 100, maxMs: 10_000 };

/** What an outbox works with. */
export interface OutboxMeans {
  readonly log: Logger;
  readonly limits: OutboxLimits;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/**
 * Alerts on their way, durable before `raise` resolves. One journal holds the alerts, the batches they came in, and how
 * each delivery ended, in that order; what is pending is what has no end. In memory there is an index into it.
 */
export class Outbox {
  /** Called when an alert was raised, or a delivery of it tried or ended. */
  onChange: (alert: AlertEntry, what: 'raised' | 'changed') => void = () => undefined;
  /** Only this class changes it. */
  readonly state: OutboxState;
  readonly #means: OutboxMeans;
  readonly #journal: Journal;
  readonly #writer: GroupWriter;

  constructor(means: OutboxMeans, journal: Journal, state: OutboxState) {
    this.#means = means;
    this.#journal = journal;
    this.state = state;
    this.#writer = new GroupWriter(journal);
  }

  get index(): OutboxState['index'] {
    return this.state.index;
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
    { id, alerts, settledBelow, probe }: RaiseRequest & { readonly id: BatchId },
    receivers: readonly string[],
  ): Promise<RaiseCounts> {
    // Nothing to keep: a batch without alerts needs no mark, for taking it twice changes nothing.
    if (alerts.length === 0) return NOTHING_RAISED;
    const ids = alertIds(id, alerts);
    let fresh: RaisedAlert[] = [];
    return this.#write({
      prepare: (staged) => {
        if (this.#isTaken(id, staged)) return [];
        checkRoom(this.#held, this.#means.limits);
        staged.batches.add(batchText(id));
        const nowMs = this.#means.now();
        fresh = alerts.flatMap((alert, place) => {
          const alertId = ids[place] ?? Buffer.alloc(0);
          if (this.#isKnown(alertId, staged)) return [];
          const request = { id: alertId, alert, receivers, nowMs };
          return [probe ? planProbe(request) : planAlert(request, this.state, staged)];
        });
        const batch = { id, settledBelow, alertCount: fresh.length };
        return [
          ...fresh.map((value) => encode({ $case: 'alert', value })),
          encode({ $case: 'batch', value: batch }),
        ];
      },
      apply: (positions) => {
        if (positions.length > 0) {
          this.state.marks.mark(id);
          this.state.marks.settle(id.epoch, settledBelow);
        }
        fresh.forEach((raised, place) => this.#add(positions[place], raised));
        return countsOf(fresh, alerts.length);
      },
    });
  }

  /**
   * Takes alerts that the service itself makes. `make` is called when all that was raised before is known; nothing else
   * is written together with what it gives.
   *
   * @throws OutboxUnavailableError if there is no room or the disk fails.
   */
  async raiseOwn(make: () => readonly RaisedAlert[]): Promise<AlertEntry[]> {
    let made: readonly RaisedAlert[] = [];
    return this.#write({
      alone: true,
      prepare: () => {
        made = make();
        return made.map((value) => encode({ $case: 'ownAlert', value }));
      },
      apply: (positions) => made.map((raised, place) => this.#add(positions[place], raised)),
    });
  }

  /** Reads an alert from disk. Throws JournalCorruptError if it is damaged. */
  load(alert: AlertEntry): Promise<RaisedAlert> {
    return readAlert(this.#journal, alert.position);
  }

  /**
   * Writes down how deliveries ended. If the disk fails it tries again until it can be written: an alert must not go
   * out again after a restart because its end was not recorded. Rejects with CANCELLED when the signal aborts.
   */
  async end(endings: readonly Ending[], signal: AbortSignal): Promise<void> {
    if (endings.length === 0) return;
    const nowMs = this.#means.now();
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#writer.write({
          prepare: () => endings.map((ending) => outcomeRecord(ending, nowMs)),
          apply: () => this.#applyEndings(endings, nowMs),
        });
        return;
      } catch (error) {
        if (attempt === 1) this.#means.log.error({ err: error }, 'outbox cannot be written');
        await wait(backoffMs(attempt, REWRITE_BACKOFF), signal);
      }
    }
  }

  /**
   * Has deliveries that were given up sent anew, or deletes them. Gives how many: those that are no longer given up
   * when their turn comes are left alone.
   *
   * @throws OutboxUnavailableError if it cannot be written down now.
   */
  async revive(
    wanted: readonly DeliveryEntry[],
    state: DeliveryState.PENDING | DeliveryState.DISCARDED,
  ): Promise<number> {
    const nowMs = this.#means.now();
    let dead: readonly DeliveryEntry[] = [];
    await this.#write({
      alone: true,
      prepare: () => {
        dead = wanted.filter((one) => one.state === DeliveryState.DEAD);
        return dead.map((one) =>
          encode({ $case: 'action', value: { ...placeOf(one), state, atUs: nowMs * 1_000 } }),
        );
      },
      apply: () => {
        for (const one of dead) {
          this.state.revive(one, state, nowMs);
          this.onChange(one.alert, 'changed');
        }
      },
    });
    return dead.length;
  }

  /**
   * Has alerts go to a receiver more.
   *
   * @throws OutboxUnavailableError if it cannot be written down now.
   */
  async handOver(alerts: readonly AlertEntry[], receiver: string): Promise<void> {
    const nowMs = this.#means.now();
    await this.#write({
      prepare: () => alerts.map((alert) => handOverRecord(alert, receiver, nowMs)),
      apply: () => {
        for (const alert of alerts) {
          this.state.handOver(alert, receiver, nowMs);
          this.onChange(alert, 'changed');
        }
      },
    });
  }

  /** Writes down what Alertmanager says of a delivered alert. Rejects if the disk fails: it can be asked again. */
  async suppress(delivery: DeliveryEntry, suppression: Suppression): Promise<void> {
    await this.#writer.write({
      prepare: () => [suppressionRecord(delivery, suppression)],
      apply: () => {
        this.state.suppress(delivery, suppression);
        this.onChange(delivery.alert, 'changed');
      },
    });
  }

  /** A try failed; the delivery goes on. Not written down: after a restart it counts anew. */
  noteFailure(delivery: DeliveryEntry, reason: string): void {
    delivery.lastError = reason;
    this.onChange(delivery.alert, 'changed');
  }

  /** Forgets history beyond its limits and removes what nothing needs any more from disk. */
  async tidy(): Promise<void> {
    const { limits, now } = this.#means;
    forgetHistory(this.#held, limits, now());
    if (!canTrim(this.#held)) return;
    let needed = 0;
    // The batches whose records go with the segments must be remembered by a record that stays.
    await this.#writer.write({
      prepare: () => {
        // Only here is every alert on disk in the index too.
        needed = neededFrom(this.#held);
        return [encode({ $case: 'checkpoint', value: this.state.checkpoint(now()) })];
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

  get #held(): Held {
    return { journal: this.#journal, index: this.index };
  }

  /** Writes what can be asked for again if it cannot be written: then it throws OutboxUnavailableError. */
  async #write<T>(job: WriteJob<T>): Promise<T> {
    try {
      return await this.#writer.write(job);
    } catch (error) {
      throw unavailable(error);
    }
  }

  #isTaken(id: BatchId, staged: Staged): boolean {
    return this.state.marks.coversAll(id) || staged.batches.has(batchText(id));
  }

  /** Also remembers the id as about to be written. */
  #isKnown(alertId: Buffer, staged: Staged): boolean {
    const text = alertId.toString('latin1');
    if (this.index.has(text) || staged.alerts.has(text)) return true;
    staged.alerts.add(text);
    return false;
  }

  #add(position: number | undefined, raised: RaisedAlert): AlertEntry {
    if (position === undefined)
      throw new Error('outbox: the journal gave fewer positions than records');
    const entry = this.state.add(position, raised);
    this.onChange(entry, 'raised');
    return entry;
  }

  #applyEndings(endings: readonly Ending[], nowMs: number): void {
    for (const ending of endings) {
      const { delivery } = ending;
      this.state.end(delivery, endOf(ending, nowMs));
      for (const { alert } of [delivery, ...delivery.members]) this.onChange(alert, 'changed');
    }
  }
}
