import { DeliveryState } from '@auditing/proto/alert';
import type { Priority } from '@auditing/proto/event';
import { Lane } from './lane';

/** An alert in memory: where it lies in the journal, and what is asked of it often. The rest is read when needed. */
export interface AlertEntry {
  /** Where its record is in the journal. */
  readonly position: number;
  /** 32 bytes as latin1 text: a quarter of what a Buffer takes. */
  readonly id: string;
  readonly rule: string;
  readonly priority: Priority;
  readonly raisedAtMs: number;
  readonly deliveries: readonly DeliveryEntry[];
}

/** One alert on its way to one receiver. */
export interface DeliveryEntry {
  readonly alert: AlertEntry;
  readonly receiver: string;
  state: DeliveryState;
  attemptCount: number;
  /** Why the last try failed, or why it is dead. */
  lastError: string;
  /** When it was delivered or given up. */
  endedAtMs: number;
  /** Not tried before this moment: it failed when it was sent alone. */
  notBeforeMs: number;
}

/** How much is remembered of alerts that are done with. */
export interface HistoryLimits {
  readonly maxAgeMs: number;
  /** Delivered alerts, and as many dead ones again. */
  readonly maxCount: number;
}

/** What an alert is made of, when it is added. */
export type NewAlert = Omit<AlertEntry, 'deliveries'> & { readonly receivers: readonly string[] };

/** Every alert that is pending or remembered, by the order in which they were raised. */
export class AlertIndex {
  readonly #alerts = new Map<number, AlertEntry>();
  readonly #byId = new Map<string, AlertEntry>();
  readonly #lanes = new Map<string, Lane>();
  /** One string for each name, not one for each alert. */
  readonly #names = new Map<string, string>();
  #pendingCount = 0;

  /** Alerts that some receiver has not had yet. */
  get pendingCount(): number {
    return this.#pendingCount;
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

  add({ receivers, ...alert }: NewAlert): AlertEntry {
    const deliveries: DeliveryEntry[] = [];
    const entry: AlertEntry = { ...alert, rule: this.#name(alert.rule), deliveries };
    for (const receiver of receivers) {
      const delivery = pendingDelivery(entry, this.#name(receiver));
      deliveries.push(delivery);
      this.lane(receiver).add(delivery);
    }
    if (deliveries.length > 0) this.#pendingCount += 1;
    this.#alerts.set(entry.position, entry);
    this.#byId.set(entry.id, entry);
    return entry;
  }

  /** The delivery is over. */
  end(
    delivery: DeliveryEntry,
    how: Pick<DeliveryEntry, 'state' | 'lastError' | 'endedAtMs'>,
  ): void {
    if (delivery.state !== DeliveryState.PENDING) return;
    Object.assign(delivery, how);
    this.#lanes.get(delivery.receiver)?.delete(delivery);
    if (!isPending(delivery.alert)) this.#pendingCount -= 1;
  }

  /** Newest first. */
  newestFirst(rule: string): AlertEntry[] {
    const all = [...this.#alerts.values()];
    return (rule === '' ? all : all.filter((one) => one.rule === rule)).reverse();
  }

  /** Forgets what is done with and beyond the limits, the oldest first. Gives how many were forgotten. */
  forget(limits: HistoryLimits, nowMs: number): number {
    let [delivered, dead] = [0, 0];
    for (const alert of this.#alerts.values()) {
      if (isPending(alert)) continue;
      if (isDead(alert)) dead += 1;
      else delivered += 1;
    }
    let forgotten = 0;
    for (const alert of this.#alerts.values()) {
      if (isPending(alert)) continue;
      const old = nowMs - alert.raisedAtMs > limits.maxAgeMs;
      const surplus = (isDead(alert) ? dead : delivered) > limits.maxCount;
      if (!old && !surplus) continue;
      if (isDead(alert)) dead -= 1;
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
      if (isPending(alert)) continue;
      this.#remove(alert);
      forgotten += 1;
    }
    return forgotten;
  }

  #remove(alert: AlertEntry): void {
    this.#alerts.delete(alert.position);
    if (this.#byId.get(alert.id) === alert) this.#byId.delete(alert.id);
  }

  #name(name: string): string {
    const known = this.#names.get(name);
    if (known !== undefined) return known;
    this.#names.set(name, name);
    return name;
  }
}

function pendingDelivery(alert: AlertEntry, receiver: string): DeliveryEntry {
  return {
    alert,
    receiver,
    state: DeliveryState.PENDING,
    attemptCount: 0,
    lastError: '',
    endedAtMs: 0,
    notBeforeMs: 0,
  };
}

function isPending({ deliveries }: AlertEntry): boolean {
  return deliveries.some(({ state }) => state === DeliveryState.PENDING);
}

function isDead({ deliveries }: AlertEntry): boolean {
  return deliveries.some(({ state }) => state === DeliveryState.DEAD);
}
