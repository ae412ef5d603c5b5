import { JournalFailedError, JournalFullError } from '@auditing/journal/journal-error';
import type { Journal } from '@auditing/journal/journal';
import { AlertKind, DeliveryState } from '@auditing/proto/alert';
import { encoded } from '@auditing/proto/encoded';
import { OutboxRecord, type RaisedAlert } from '@auditing/proto/outbox';
import type { AlertEntry, DeliveryEntry, Suppression } from './alert-entry';
import type { DeliveryEnd } from './outbox-state';

/** Thrown when an alert cannot be put on disk now. */
export class OutboxUnavailableError extends Error {
  override readonly name = 'OutboxUnavailableError';
}

/** What became of the alerts of a batch. */
export interface RaiseCounts {
  readonly raisedCount: number;
  readonly duplicateCount: number;
  /** Of those raised: joined a group, and are told by its next update. */
  readonly repeatCount: number;
  /** Of those raised: further stages of requests that were alerted of. */
  readonly stageCount: number;
  /** Deliveries that wait for a digest, by receiver. */
  readonly digested: ReadonlyMap<string, number>;
}

/** Of a batch without alerts. */
export const NOTHING_RAISED: RaiseCounts = {
  raisedCount: 0,
  duplicateCount: 0,
  repeatCount: 0,
  stageCount: 0,
  digested: new Map(),
};

/** How a delivery ended. */
export type Ending =
  | {
      readonly delivery: DeliveryEntry;
      readonly state: DeliveryState.DELIVERED;
      /** The instance that took it. */
      readonly by: string;
    }
  | {
      readonly delivery: DeliveryEntry;
      readonly state: DeliveryState.SILENCED;
      /** Ids of the silences. */
      readonly silencedBy: readonly string[];
    }
  | {
      readonly delivery: DeliveryEntry;
      readonly state: DeliveryState.DEAD;
      readonly reason: string;
    };

/** A record as it is written. */
export function encode(record: NonNullable<OutboxRecord['record']>): Uint8Array {
  return encoded(OutboxRecord, { record });
}

/** Names a delivery in a record. */
export function placeOf({ alert, receiver }: DeliveryEntry): { alert: bigint; receiver: string } {
  return { alert: BigInt(alert.position), receiver };
}

/** What became of the alerts of a batch. */
export function countsOf(fresh: readonly RaisedAlert[], alertCount: number): RaiseCounts {
  const digested = new Map<string, number>();
  for (const { receiver } of fresh.flatMap(({ deliveries }) =>
    deliveries.filter((one) => one.digested),
  )) {
    digested.set(receiver, (digested.get(receiver) ?? 0) + 1);
  }
  const ofKind = (kind: AlertKind): number => fresh.filter((one) => one.kind === kind).length;
  return {
    raisedCount: fresh.length,
    duplicateCount: alertCount - fresh.length,
    repeatCount: ofKind(AlertKind.REPEAT),
    stageCount: ofKind(AlertKind.STAGE),
    digested,
  };
}

/** The record of how a delivery ended. */
export function outcomeRecord(ending: Ending, nowMs: number): Uint8Array {
  const { delivery, state } = ending;
  return encode({
    $case: 'outcome',
    value: {
      ...placeOf(delivery),
      state,
      atUs: nowMs * 1_000,
      attemptCount: delivery.attemptCount,
      revision: delivery.revision,
      reason: state === DeliveryState.DEAD ? ending.reason : '',
      acceptedBy: state === DeliveryState.DELIVERED ? ending.by : '',
      silencedBy: state === DeliveryState.SILENCED ? [...ending.silencedBy] : [],
    },
  });
}

/** The record of an alert that goes to a receiver more. */
export function handOverRecord(alert: AlertEntry, receiver: string, nowMs: number): Uint8Array {
  const value = { alert: BigInt(alert.position), receiver, atUs: nowMs * 1_000 };
  return encode({ $case: 'handOver', value });
}

/** The record of what Alertmanager says of a delivered alert. */
export function suppressionRecord(delivery: DeliveryEntry, suppression: Suppression): Uint8Array {
  const silencedBy = [...suppression.silencedBy];
  const inhibitedBy = [...suppression.inhibitedBy];
  return encode({ $case: 'suppression', value: { ...placeOf(delivery), silencedBy, inhibitedBy } });
}

/** What its end changes of a delivery. */
export function endOf(ending: Ending, nowMs: number): DeliveryEnd {
  const { attemptCount, revision } = ending.delivery;
  return {
    state: ending.state,
    lastError: ending.state === DeliveryState.DEAD ? ending.reason : '',
    acceptedBy: ending.state === DeliveryState.DELIVERED ? ending.by : '',
    silencedBy: ending.state === DeliveryState.SILENCED ? ending.silencedBy : [],
    endedAtMs: nowMs,
    attemptCount,
    revision,
  };
}

/** Reads an alert back. Throws JournalCorruptError if its record is damaged. */
export async function readAlert(journal: Journal, position: number): Promise<RaisedAlert> {
  const { data } = await journal.readAt(position);
  const { record } = OutboxRecord.decode(data);
  if (record?.$case !== 'alert' && record?.$case !== 'ownAlert')
    throw new Error(`outbox: expected an alert at ${position}, found ${record?.$case}`);
  return record.value;
}

/** What the journal refuses now may be asked of it again. */
export function unavailable(error: unknown): unknown {
  if (!(error instanceof JournalFullError || error instanceof JournalFailedError)) return error;
  return new OutboxUnavailableError(`the outbox cannot be written: ${error.message}`, {
    cause: error,
  });
}
