import { Bell } from './bell';
import { Priority } from '@auditing/proto/event';
import type { DeliveryEntry } from './alert-entry';

const HIGHEST_FIRST = [
  Priority.WARNING,
  Priority.INFO,
  Priority.DEBUG,
  Priority.UNSPECIFIED,
] as const;

/** What one receiver has not had yet: highest priority first, then the oldest. */
export class Lane {
  /** Rings when a delivery is added. */
  readonly added = new Bell();
  /** Sets keep the order in which alerts were raised, and forget one at no cost. */
  readonly #byPriority = new Map<Priority, Set<DeliveryEntry>>();

  get size(): number {
    let size = 0;
    for (const deliveries of this.#byPriority.values()) size += deliveries.size;
    return size;
  }

  /** Since when the oldest is pending, in milliseconds; undefined if there is none. */
  get oldestMs(): number | undefined {
    let oldest: number | undefined;
    for (const deliveries of this.#byPriority.values()) {
      for (const { pendingSinceMs } of deliveries) {
        oldest = Math.min(oldest ?? Infinity, pendingSinceMs);
        break;
      }
    }
    return oldest;
  }

  add(delivery: DeliveryEntry): void {
    const { priority } = delivery.alert;
    const deliveries = this.#byPriority.get(priority) ?? new Set();
    deliveries.add(delivery);
    this.#byPriority.set(priority, deliveries);
    this.added.ring();
  }

  delete(delivery: DeliveryEntry): void {
    this.#byPriority.get(delivery.alert.priority)?.delete(delivery);
  }

  /** All of them, in the order in which they go out. */
  *[Symbol.iterator](): Generator<DeliveryEntry, void, undefined> {
    for (const priority of HIGHEST_FIRST) yield* this.#byPriority.get(priority) ?? [];
  }

  /** Those pending since before a moment. */
  *pendingBefore(ms: number): Generator<DeliveryEntry, void, undefined> {
    for (const deliveries of this.#byPriority.values()) {
      for (const delivery of deliveries) {
        if (delivery.pendingSinceMs >= ms) break;
        yield delivery;
      }
    }
  }
}
