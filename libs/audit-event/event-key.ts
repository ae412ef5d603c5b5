import * as crypto from 'node:crypto';

/** Length of an event key in bytes. */
export const KEY_BYTES = 32;

interface HashOnce {
  (algorithm: string, data: Buffer, encoding: 'buffer'): Buffer;
  (algorithm: string, data: Buffer, encoding: 'latin1'): string;
}

/** crypto.hash makes no hash object; it is there from Node 20.12 on. Its types do not know that it gives latin1. */
const { hash } = crypto as unknown as { readonly hash?: HashOnce };

/** The identity of an event: SHA-256 of its bytes as received, 32 bytes. */
export function eventKey(bytes: Buffer): Buffer {
  return hash
    ? hash('sha256', bytes, 'buffer')
    : crypto.createHash('sha256').update(bytes).digest();
}

/** The keys of many events, back to back, in order: what EventBatch.keys holds. */
export function eventKeys(slices: readonly Buffer[]): Buffer {
  const keys = Buffer.allocUnsafe(slices.length * KEY_BYTES);
  slices.forEach((slice, index) => {
    // As text of one byte a character: a Buffer for each key would cost half as much again as the hash itself.
    if (hash) keys.write(hash('sha256', slice, 'latin1'), index * KEY_BYTES, 'latin1');
    else eventKey(slice).copy(keys, index * KEY_BYTES);
  });
  return keys;
}

/** The key of one event out of EventBatch.keys; a view. */
export function keyAt(keys: Buffer, index: number): Buffer {
  return keys.subarray(index * KEY_BYTES, (index + 1) * KEY_BYTES);
}
