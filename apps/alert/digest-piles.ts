import type { DeliveryEntry } from './alert-entry';

/** Deliveries of one rule to one receiver that wait for the digest that tells of them. */
export interface DigestPile {
  readonly rule: string;
  readonly receiver: string;
  readonly deliveries: DeliveryEntry[];
}

/** What waits for a digest. */
export class DigestPiles {
  readonly #piles = new Map<string, DigestPile>();

  add(delivery: DeliveryEntry): void {
    const { receiver, alert } = delivery;
    const key = keyOf(alert.rule, receiver);
    const pile = this.#piles.get(key) ?? { rule: alert.rule, receiver, deliveries: [] };
    pile.deliveries.push(delivery);
    this.#piles.set(key, pile);
  }

  /** The pile of a rule and a receiver, which is empty from now on. */
  take(rule: string, receiver: string): DeliveryEntry[] {
    const key = keyOf(rule, receiver);
    const pile = this.#piles.get(key);
    this.#piles.delete(key);
    return pile?.deliveries ?? [];
  }

  /** Piles that were begun before a moment. */
  begunBefore(ms: number): DigestPile[] {
    return [...this.#piles.values()].filter(
      ({ deliveries: [first] }) => first !== undefined && first.alert.raisedAtMs < ms,
    );
  }

  /** All of one receiver, or of all receivers. */
  of(receiver?: string): DigestPile[] {
    const all = [...this.#piles.values()];
    return receiver === undefined ? all : all.filter((pile) => pile.receiver === receiver);
  }
}

function keyOf(rule: string, receiver: string): string {
  return `${rule}\0${receiver}`;
}
