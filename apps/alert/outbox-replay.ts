import { BatchMarks } from '@auditing/audit-event/batch-marks';
import { Priority } from '@auditing/proto/event';
import type { Journal } from '@auditing/journal/journal';
import { JournalCorruptError } from '@auditing/journal/journal-error';
import { OutboxRecord, type DeliveryOutcome, type RaisedAlert } from '@auditing/proto/outbox';
import type { Logger } from 'pino';
import { AlertIndex, type NewAlert } from './alert-index';

const KNOWN_PRIORITIES = new Set([Priority.DEBUG, Priority.INFO, Priority.WARNING]);

/** What an outbox knows, out of its journal. */
export interface Replayed {
  readonly index: AlertIndex;
  readonly marks: BatchMarks;
}

/** Reads the journal from its beginning. What is damaged is left out, and logged. */
export async function replay(journal: Journal, log: Logger): Promise<Replayed> {
  const state = new ReplayState();
  let from = journal.start;
  while (from < journal.end) {
    try {
      for await (const record of journal.read(from)) {
        state.take(record.position, record.data);
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

class ReplayState implements Replayed {
  readonly index = new AlertIndex();
  marks = new BatchMarks();
  /** Alerts whose batch has not been seen to be taken. */
  #uncommitted: NewAlert[] = [];

  take(position: number, data: Buffer): void {
    const { record } = OutboxRecord.decode(data);
    switch (record?.$case) {
      case 'alert':
        this.#uncommitted.push(newAlert(position, record.value));
        break;
      case 'batch': {
        const { id, settledBelow, alertCount } = record.value;
        this.#commit(alertCount);
        if (id === undefined) break;
        this.marks.mark(id);
        this.marks.settle(id.epoch, settledBelow);
        break;
      }
      case 'outcome':
        this.#end(record.value);
        break;
      case 'checkpoint':
        this.marks = BatchMarks.restore(record.value.marks);
        break;
      case undefined:
        break;
    }
  }

  /** The last ones belong to the batch; those before are what a failed write left behind. */
  #commit(alertCount: number): void {
    const first = Math.max(0, this.#uncommitted.length - alertCount);
    for (const alert of this.#uncommitted.slice(first)) this.index.add(alert);
    this.#uncommitted = [];
  }

  #end({ alert, receiver, state, atUs, attemptCount, reason }: DeliveryOutcome): void {
    // The alert may lie in a segment that was removed.
    const entry = this.index.get(Number(alert));
    const delivery = entry?.deliveries.find((one) => one.receiver === receiver);
    if (delivery === undefined) return;
    delivery.attemptCount = attemptCount;
    this.index.end(delivery, { state, lastError: reason, endedAtMs: atUs / 1_000 });
  }
}

/** What the index keeps of an alert. */
export function newAlert(position: number, raised: RaisedAlert): NewAlert {
  return {
    position,
    id: raised.id.toString('latin1'),
    rule: raised.alert?.rule ?? '',
    priority: knownPriority(raised.alert?.priority),
    raisedAtMs: raised.raisedAtUs / 1_000,
    receivers: raised.deliveries.map(({ receiver }) => receiver),
  };
}

/** A priority that a later release invents goes out after those that are known here. */
function knownPriority(priority: Priority = Priority.UNSPECIFIED): Priority {
  return KNOWN_PRIORITIES.has(priority) ? priority : Priority.UNSPECIFIED;
}
