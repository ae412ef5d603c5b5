import { BatchMarks } from '@auditing/audit-event/batch-marks';
import { AlertKind, type DeliveryState } from '@auditing/proto/alert';
import type { OutboxCheckpoint, RaisedAlert } from '@auditing/proto/outbox';
import type { AlertEntry, DeliveryEntry, Suppression } from './alert-entry';
import { AlertIndex } from './alert-index';
import { DigestPiles } from './digest-piles';
import { Groups } from './group';
import { newAlert } from './new-alert';
import { TokenBuckets, type Rate } from './token-buckets';

/** What keeps receivers from noise. */
export interface NoiseLimits {
  /** Alerts of one group within this time are told of as one; 0: each goes out. */
  readonly groupWindowMs: number;
  /** How many alerts of one rule one receiver gets one by one. */
  readonly rate: Rate;
}

/** How a delivery ended. */
export interface DeliveryEnd {
  readonly state: DeliveryState;
  readonly lastError: string;
  readonly endedAtMs: number;
  readonly acceptedBy: string;
  readonly silencedBy: readonly string[];
  readonly attemptCount: number;
  readonly revision: number;
}

/** What the records of an outbox come to. A start makes it from the journal by the same calls as work does. */
export class OutboxState {
  readonly index = new AlertIndex();
  readonly groups: Groups;
  readonly buckets: TokenBuckets;
  readonly piles = new DigestPiles();
  marks = new BatchMarks();

  constructor({ groupWindowMs, rate }: NoiseLimits) {
    this.groups = new Groups(groupWindowMs);
    this.buckets = new TokenBuckets(rate);
  }

  /** An alert was written down. */
  add(position: number, raised: RaisedAlert): AlertEntry {
    const entry = this.index.add(newAlert(position, raised));
    const { alert, raisedAtUs } = raised;
    for (const delivery of entry.deliveries) {
      if (delivery.isDigested) this.piles.add(delivery);
      else if (isRated(entry.kind)) {
        this.buckets.take(entry.rule, delivery.receiver, entry.raisedAtMs);
      }
    }
    const first = this.index.byId(raised.group.toString('latin1'));
    const group = raised.group.length > 0 ? first?.group : undefined;
    switch (entry.kind) {
      case AlertKind.FIRST:
        if (alert) this.groups.open(entry, alert);
        break;
      case AlertKind.REPEAT:
      case AlertKind.STAGE:
        if (first && alert)
          this.groups.join(first, entry.kind, { alert, raisedAtMs: raisedAtUs / 1_000 });
        entry.group = first?.group;
        break;
      case AlertKind.UPDATE:
        entry.group = group;
        if (group?.open) {
          const updates = (group.open.updates ??= new Map<string, DeliveryEntry>());
          for (const one of entry.deliveries) updates.set(one.receiver, one);
        }
        break;
      case AlertKind.DIGEST:
        for (const one of entry.deliveries) this.#tellOfPile(one);
        break;
      default:
        break;
    }
    return entry;
  }

  /** A delivery ended; those that a digest tells of end with it. */
  end(delivery: DeliveryEntry, end: DeliveryEnd): void {
    const { attemptCount, revision, silencedBy, ...how } = end;
    Object.assign(delivery, { attemptCount, revision });
    this.index.end(delivery, how);
    if (silencedBy.length > 0) this.suppress(delivery, { silencedBy, inhibitedBy: [] });
    for (const member of delivery.members) {
      member.attemptCount = attemptCount;
      this.index.end(member, how);
    }
  }

  /** Somebody had a delivery that was given up sent anew, or deleted it. */
  revive(delivery: DeliveryEntry, state: DeliveryState, atMs: number): void {
    this.index.revive(delivery, state, atMs);
    for (const member of delivery.members) this.index.revive(member, state, atMs);
  }

  /** An alert goes to a receiver more; not twice. */
  handOver(alert: AlertEntry, receiver: string, atMs: number): void {
    if (alert.deliveries.some((one) => one.receiver === receiver)) return;
    this.index.addDelivery(alert, receiver, atMs);
  }

  suppress(delivery: DeliveryEntry, suppression: Suppression): void {
    const isNone = suppression.silencedBy.length + suppression.inhibitedBy.length === 0;
    delivery.suppression = isNone ? undefined : suppression;
  }

  /** What stays known when records before it are removed. */
  checkpoint(nowMs: number): OutboxCheckpoint {
    return { marks: this.marks.snapshot(), buckets: this.buckets.snapshot(nowMs) };
  }

  restore({ marks, buckets }: OutboxCheckpoint): void {
    this.marks = BatchMarks.restore(marks);
    this.buckets.restore(buckets);
  }

  #tellOfPile(digest: DeliveryEntry): void {
    const members = this.piles.take(digest.alert.rule, digest.receiver);
    digest.members = members;
    for (const member of members) member.digest = digest;
  }
}

/** Only news is rated: an update comes once in a window, and a digest is what is above the rate. */
function isRated(kind: AlertKind): boolean {
  return kind === AlertKind.FIRST;
}
