import { createHash } from 'node:crypto';

/** Counted exactly up to so many. */
export const EXACT_MAX = 100_000;

/** 2^14 registers: standard error 1.04 / sqrt(16384) = 0.8 %. */
const INDEX_BITS = 14;
const REGISTERS = 2 ** INDEX_BITS;
/** Bias correction of the HyperLogLog estimate for so many registers (Flajolet et al. 2007, figure 3). */
const ALPHA = 0.7213 / (1 + 1.079 / REGISTERS);

/** Counts distinct values: exactly while they are few, then by HyperLogLog in 16 KiB. */
export class DistinctCounter {
  #exact: Set<string> | undefined = new Set();
  readonly #registers = new Uint8Array(REGISTERS);

  add(value: string): void {
    if (this.#exact === undefined) {
      this.#estimate(value);
      return;
    }
    this.#exact.add(value);
    if (this.#exact.size <= EXACT_MAX) return;
    for (const seen of this.#exact) this.#estimate(seen);
    this.#exact = undefined;
  }

  get count(): number {
    if (this.#exact !== undefined) return this.#exact.size;
    let sum = 0;
    for (const rank of this.#registers) sum += 2 ** -rank;
    return Math.round((ALPHA * REGISTERS * REGISTERS) / sum);
  }

  /** The hash is one that nobody can steer: audit ids are chosen by clients. */
  #estimate(value: string): void {
    const hash = createHash('sha1').update(value).digest();
    const register = hash.readUInt32LE(0) & (REGISTERS - 1);
    const rank = Math.min(Math.clz32(hash.readUInt32LE(4)), 31) + 1;
    if (rank > (this.#registers[register] ?? 0)) this.#registers[register] = rank;
  }
}
