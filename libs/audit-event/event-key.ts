/** Bytes of an event key. */
export const KEY_BYTES = 32;

/** The identity of an event: SHA-256 of its bytes as received. */
export declare function eventKey(bytes: Buffer): Buffer;

/** The keys of many events, back to back: EventBatch.keys. */
export declare function eventKeys(slices: readonly Buffer[]): Buffer;
