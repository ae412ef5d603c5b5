import type { RateBucket } from '@auditing/proto/outbox';

/** How many alerts of one rule one receiver gets one by one. */
export interface Rate {
  /** Alerts a minute in the long run; 0: as many as there are. */
  readonly perMinute: number;
  /** Alerts at once after a quiet time. */
  readonly burst: number;
}

interface Bucket {
  tokens: number;
  atMs: number;
}

/** A token bucket for each rule and receiver. A token is taken for each alert that goes out by itself. */
export class TokenBuckets {
  readonly #rate: Rate;
  readonly #buckets = new Map<string, Bucket>();

  constructor(rate: Rate) {
    this.#rate = rate;
  }

  /** Whole tokens that are left at a moment. */
  left(rule: string, receiver: string, nowMs: number): number {
    if (this.#rate.perMinute === 0) return Infinity;
    return Math.floor(this.#tokens(this.#buckets.get(keyOf(rule, receiver)), nowMs));
  }

  /** Takes one, if there is one. */
  take(rule: string, receiver: string, atMs: number): void {
    if (this.#rate.perMinute === 0) return;
    const key = keyOf(rule, receiver);
    const tokens = this.#tokens(this.#buckets.get(key), atMs) - 1;
    this.#buckets.set(key, { tokens: Math.max(0, tokens), atMs });
  }

  /** All that are not full; those that are need not be known. */
  snapshot(nowMs: number): RateBucket[] {
    const found: RateBucket[] = [];
    for (const [key, bucket] of this.#buckets) {
      if (this.#tokens(bucket, nowMs) >= this.#rate.burst) {
        this.#buckets.delete(key);
        continue;
      }
      const [rule = '', receiver = ''] = key.split('\0');
      found.push({ rule, receiver, tokens: bucket.tokens, atUs: bucket.atMs * 1_000 });
    }
    return found;
  }

  /** Knows what a snapshot knew, and nothing else. */
  restore(snapshot: readonly RateBucket[]): void {
    this.#buckets.clear();
    for (const { rule, receiver, tokens, atUs } of snapshot) {
      this.#buckets.set(keyOf(rule, receiver), { tokens, atMs: atUs / 1_000 });
    }
  }

  #tokens(bucket: Bucket | undefined, nowMs: number): number {
    const { burst, perMinute } = this.#rate;
    if (bucket === undefined) return burst;
    // A clock that was set back gives nothing and takes nothing.
    const gained = (Math.max(0, nowMs - bucket.atMs) * perMinute) / 60_000;
    return Math.min(burst, bucket.tokens + gained);
  }
}

function keyOf(rule: string, receiver: string): string {
  return `${rule}\0${receiver}`;
}
