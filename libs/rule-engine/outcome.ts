/**
 * What one test says of one value: false, true, or that it cannot be asked of this kind of value, which counts
 * as false. Numbers, because rules ask millions of times.
 */
export const FALSE = 0;
export const TRUE = 1;
export const MISMATCH = 2;

/** One of {@link FALSE}, {@link TRUE} and {@link MISMATCH}. */
export type Outcome = typeof FALSE | typeof TRUE | typeof MISMATCH;
