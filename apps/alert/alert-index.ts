import { AlertKind, DeliveryState } from '@auditing/proto/alert';
import {
  isDeadAlert,
  isPendingAlert,
  isPendingDelivery,
  newDelivery,
  type AlertEntry,
  type DeliveryEntry,
} from './alert-entry';
import { Lane } from './lane';

/** How much is remembered of alerts that are done with. */
export interface HistoryLimits {
  readonly maxAgeMs: number;
  /** Delivered alerts, and as many dead ones again. */
  readonly maxCount: number;
  /** How long after its delivery an alert may be needed again, to be sent to an Alertmanager that forgot it: no other limit holds until then. */
  readonly activeMs: number;
  /** Alerts in memory, pending ones included, above which the oldest of those are history like any other. */
  readonly maxInMemory: number;
}

const NO_DELIVERIES: readonly DeliveryEntry[] = [];

/** What an alert is made of, when it is added. */
export type NewAlert = Omit<AlertEntry, 'deliveries' | 'group'> & {
  readonly planned: readonly Pick<DeliveryEntry, 'receiver' | 'isDigested'>[];
};

/** Every alert that is pending or remembered, by the order in which they were raised. */
export class AlertIndex {
  readonly #alerts = new Map<number, AlertEntry>();
  readonly #byId = new Map<string, AlertEntry>();
  readonly #lanes = new Map<string, Lane>();
  /** One string for each name, not one for each alert. */
  readonly #names = new Map<string, string>();
  #pendingCount = 0;
  #deadCount = 0;

  /** Alerts that some receiver has not had yet. */
  get pendingCount(): number {
    return this.#pendingCount;
  }

  /** Deliveries that were given up. */
  get deadCount(): number {
    return this.#deadCount;
  }

  get size(): number {
    return this.#alerts.size;
  }

  /** Position of the oldest alert that is still needed; undefined if there is none. */
  get oldestPosition(): number | undefined {
    return this.#alerts.keys().next().value;
  }

  get lanes(): ReadonlyMap<string, Lane> {
    return this.#lanes;
  }

  /** The lane of a receiver, which is made if there is none. */
  lane(receiver: string): Lane {
    const lane = this.#lanes.get(receiver) ?? new Lane();
    this.#lanes.set(receiver, lane);
    return lane;
  }

  /** Forgets the lane of a receiver that is gone, if it is empty. */
  dropLane(receiver: string): void {
    if (this.#lanes.get(receiver)?.size === 0) this.#lanes.delete(receiver);
  }

  has(id: string): boolean {
    return this.#byId.has(id);
  }

  get(position: number): AlertEntry | undefined {
    return this.#alerts.get(position);
  }

  /** The alert of an id. */
  byId(id: string): AlertEntry | undefined {
    return this.#byId.get(id);
  }

  /** Deliveries that are digested are in no lane: a digest goes out for them. */
  add({ planned, ...alert }: NewAlert): AlertEntry {
    // Every field by its name, and an array made at its size: there may be hundreds of thousands of them.
    const entry: AlertEntry = {
      position: alert.position,
      id: alert.id,
      kind: alert.kind,
      rule: this.#name(alert.rule),
      priority: alert.priority,
      raisedAtMs: alert.raisedAtMs,
      receivedAtMs: alert.receivedAtMs,
      seenAtMs: alert.seenAtMs,
      deliveries: NO_DELIVERIES,
      group: undefined,
    };
    if (planned.length > 0) {
      entry.deliveries = planned.map(({ receiver, isDigested }) =>
        newDelivery(entry, { receiver: this.#name(receiver), isDigested }),
      );
      this.#pendingCount += 1;
    }
    for (const one of entry.deliveries) if (!one.isDigested) this.lane(one.receiver).add(one);
    this.#alerts.set(entry.position, entry);
    this.#byId.set(entry.id, entry);
    return entry;
  }

  /** An alert gets a receiver more. */
  addDelivery(alert: AlertEntry, receiver: string, atMs: number): void {
    if (!isPendingAlert(alert)) this.#pendingCount += 1;
    const delivery = newDelivery(alert, { receiver: this.#name(receiver), isDigested: false });
    delivery.pendingSinceMs = atMs;
    alert.deliveries = [...alert.deliveries, delivery];
    this.lane(receiver).add(delivery);
  }

  /** The delivery is over. */
  end(
    delivery: DeliveryEntry,
    how: Pick<DeliveryEntry, 'state' | 'lastError' | 'endedAtMs' | 'acceptedBy'>,
  ): void {
    if (!isPendingDelivery(delivery)) return;
    Object.assign(delivery, how, { acceptedBy: this.#name(how.acceptedBy) });
    this.#lanes.get(delivery.receiver)?.delete(delivery);
    if (!isPendingAlert(delivery.alert)) this.#pendingCount -= 1;
    if (how.state === DeliveryState.DEAD) this.#deadCount += 1;
  }

  /** A delivery that was given up is pending again, or deleted. */
  revive(delivery: DeliveryEntry, state: DeliveryState, atMs: number): void {
    if (delivery.state !== DeliveryState.DEAD) return;
    const wasPending = isPendingAlert(delivery.alert);
    this.#deadCount -= 1;
    delivery.state = state;
    if (state !== DeliveryState.PENDING) return;
    Object.assign(delivery, {
      pendingSinceMs: atMs,
      notBeforeMs: 0,
      hasFailedAlone: false,
      attemptCount: 0,
    });
    if (!delivery.isDigested) this.lane(delivery.receiver).add(delivery);
    if (!wasPending) this.#pendingCount += 1;
  }

  /** Newest first, from before a position on. */
  newestFirst(before = Infinity): AlertEntry[] {
    return [...this.#alerts.values()].filter(({ position }) => position < before).reverse();
  }

  /** In the order in which they were raised. */
  all(): IterableIterator<AlertEntry> {
    return this.#alerts.values();
  }

  /** Forgets what is done with and beyond the limits, the oldest first. Gives how many were forgotten. */
  forget(limits: HistoryLimits, nowMs: number): number {
    const history = this.#history(limits, nowMs);
    let dead = history.filter(isDeadAlert).length;
    let delivered = history.length - dead;
    let forgotten = 0;
    for (const alert of history) {
      const old = nowMs - alert.raisedAtMs > limits.maxAgeMs || alert.kind === AlertKind.HEARTBEAT;
      const surplus = (isDeadAlert(alert) ? dead : delivered) > limits.maxCount;
      if (!old && !surplus) continue;
      if (isDeadAlert(alert)) dead -= 1;
      else delivered -= 1;
      this.#remove(alert);
      forgotten += 1;
    }
    return forgotten;
  }

  /** Forgets all that is done with and lies before a position. Gives how many. */
  forgetBefore(position: number): number {
    let forgotten = 0;
    for (const alert of this.#alerts.values()) {
      if (alert.position >= position) break;
      if (!isOver(alert)) continue;
      this.#remove(alert);
      forgotten += 1;
    }
    return forgotten;
  }

  /** What may be forgotten, the oldest first. */
  #history({ activeMs, maxInMemory }: HistoryLimits, nowMs: number): AlertEntry[] {
    let excess = this.#alerts.size - maxInMemory;
    const history: AlertEntry[] = [];
    for (const alert of this.#alerts.values()) {
      if (!isOver(alert)) continue;
      if (isActive(alert, nowMs - activeMs)) {
        if (excess <= 0) continue;
        excess -= 1;
      }
      history.push(alert);
    }
    return history;
  }

  #remove(alert: AlertEntry): void {
    this.#alerts.delete(alert.position);
    this.#deadCount -= alert.deliveries.filter(({ state }) => state === DeliveryState.DEAD).length;
    if (this.#byId.get(alert.id) === alert) this.#byId.delete(alert.id);
  }

  #name(name: string): string {
    const known = this.#names.get(name);
    if (known !== undefined) return known;
    this.#names.set(name, name);
    return name;
  }
}

/** False while somebody waits for it, or alerts may still join its group. */
function isOver(alert: AlertEntry): boolean {
  const isOpen = alert.group?.open !== undefined && alert.group.first === alert;
  return !isOpen && !isPendingAlert(alert);
}

/** True if a receiver took it since then, by itself. A heartbeat is followed by the next one. */
function isActive({ kind, deliveries }: AlertEntry, sinceMs: number): boolean {
  if (kind === AlertKind.HEARTBEAT) return false;
  return deliveries.some(
    ({ state, isDigested, endedAtMs }) =>
      state === DeliveryState.DELIVERED && !isDigested && endedAtMs >= sinceMs,
  );
}
