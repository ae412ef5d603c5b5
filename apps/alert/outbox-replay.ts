import type { Journal } from '@auditing/journal/journal';
import { JournalCorruptError } from '@auditing/journal/journal-error';
import { OutboxRecord, type DeliveryOutcome, type RaisedAlert } from '@auditing/proto/outbox';
import type { Logger } from 'pino';
import type { DeliveryEntry } from './alert-entry';
import { OutboxState, type NoiseLimits } from './outbox-state';

/** Where a journal is replayed from. */
export interface ReplayOptions {
  readonly journal: Journal;
  readonly log: Logger;
  readonly noise: NoiseLimits;
}

/** Reads the journal from its beginning. What is damaged is left out, and logged. */
export async function replay({ journal, log, noise }: ReplayOptions): Promise<OutboxState> {
  const state = new OutboxState(noise);
  const reader = new RecordReader(state);
  let from = journal.start;
  while (from < journal.end) {
    try {
      for await (const record of journal.read(from)) {
        reader.take(record.position, record.data);
        from = record.next;
      }
      break;
    } catch (error) {
      if (!(error instanceof JournalCorruptError)) throw error;
      log.error({ err: error, position: error.position }, 'outbox record damaged');
      from = error.next;
    }
  }
  return state;
}

class RecordReader {
  readonly #state: OutboxState;
  /** Alerts whose batch has not been seen to be taken. */
  #uncommitted: { position: number; raised: RaisedAlert }[] = [];

  constructor(state: OutboxState) {
    this.#state = state;
  }

  take(position: number, data: Buffer): void {
    const { record } = OutboxRecord.decode(data);
    switch (record?.$case) {
      case 'alert':
        this.#uncommitted.push({ position, raised: record.value });
        break;
      case 'ownAlert':
        this.#state.add(position, record.value);
        break;
      case 'batch': {
        const { id, settledBelow, alertCount } = record.value;
        this.#commit(alertCount);
        if (id === undefined) break;
        this.#state.marks.mark(id);
        this.#state.marks.settle(id.epoch, settledBelow);
        break;
      }
      case 'outcome':
        this.#end(record.value);
        break;
      case 'action': {
        const { state, atUs } = record.value;
        const delivery = this.#find(record.value);
        if (delivery) this.#state.revive(delivery, state, atUs / 1_000);
        break;
      }
      case 'suppression': {
        const delivery = this.#find(record.value);
        if (delivery) this.#state.suppress(delivery, record.value);
        break;
      }
      case 'handOver': {
        const { alert, receiver, atUs } = record.value;
        const entry = this.#state.index.get(Number(alert));
        if (entry) this.#state.handOver(entry, receiver, atUs / 1_000);
        break;
      }
      case 'checkpoint':
        this.#state.restore(record.value);
        break;
      case undefined:
        break;
    }
  }

  /** The last ones belong to the batch; those before are what a failed write left behind. */
  #commit(alertCount: number): void {
    const first = Math.max(0, this.#uncommitted.length - alertCount);
    for (const { position, raised } of this.#uncommitted.slice(first)) {
      this.#state.add(position, raised);
    }
    this.#uncommitted = [];
  }

  #end(outcome: DeliveryOutcome): void {
    const { atUs, reason: lastError, ...how } = outcome;
    const { state, attemptCount, revision, acceptedBy, silencedBy } = how;
    const delivery = this.#find(outcome);
    if (delivery === undefined) return;
    this.#state.end(delivery, {
      ...{ state, attemptCount, revision, acceptedBy, silencedBy, lastError },
      endedAtMs: atUs / 1_000,
    });
  }

  /** Undefined if the alert lies in a segment that was removed. */
  #find({
    alert,
    receiver,
  }: Pick<DeliveryOutcome, 'alert' | 'receiver'>): DeliveryEntry | undefined {
    const entry = this.#state.index.get(Number(alert));
    return entry?.deliveries.find((one) => one.receiver === receiver);
  }
}
