/** What is before the audit id in the bytes of an event, as the two senders write it. */
const ID_KEYS = ['"auditID":"', '"AuditID":"'].map((text) => idKey(Buffer.from(text)));
/** Most events have it here, where to look for it costs less than to call native code. */
const NEAR_BYTES = 256;
const QUOTE = 0x22;
/** The API server refuses longer ones. */
const ID_MAX_BYTES = 256;
const PLAIN_ID = /^[\w.:-]+$/;
/** 1 for the characters that PLAIN_ID has. */
const IN_PLAIN_ID = Uint8Array.from({ length: 128 }, (_, character) =>
  PLAIN_ID.test(String.fromCharCode(character)) ? 1 : 0,
);

/**
 * The audit id as its bytes show it at first sight: that it is the event's own is not certain (a body may hold such a key),
 * so whoever trusts it has compared it with the column.
 */
export function auditIdOf(slice: Buffer): string | undefined {
  for (const key of ID_KEYS) {
    const at = placeOf(slice, key);
    if (at === -1) continue;
    const begin = at + key.bytes.length;
    const end = slice.indexOf(QUOTE, begin);
    if (end === -1 || end - begin > ID_MAX_BYTES) return undefined;
    const id = slice.toString('latin1', begin, end);
    return PLAIN_ID.test(id) ? id : undefined;
  }
  return undefined;
}

/** True if auditIdOf gives this id: no text is made to find out. */
export function isAuditIdOf(slice: Buffer, id: string | undefined): boolean {
  if (id === undefined) return auditIdOf(slice) === undefined;
  for (const key of ID_KEYS) {
    const at = placeOf(slice, key);
    if (at !== -1) return isPlainIdAt(slice, at + key.bytes.length, id);
  }
  return false;
}

function isPlainIdAt(slice: Buffer, begin: number, id: string): boolean {
  const { length } = id;
  if (length === 0 || length > ID_MAX_BYTES || slice[begin + length] !== QUOTE) return false;
  for (let at = 0; at < length; at += 1) {
    const character = id.charCodeAt(at);
    if (slice[begin + at] !== character || IN_PLAIN_ID[character] !== 1) return false;
  }
  return true;
}

interface IdKey {
  readonly bytes: Buffer;
  /** By the byte that lies where the key would end: how much further on the key can end next. */
  readonly steps: Uint8Array;
}

function idKey(bytes: Buffer): IdKey {
  const steps = new Uint8Array(256).fill(bytes.length);
  bytes.subarray(0, -1).forEach((byte, place) => (steps[byte] = bytes.length - 1 - place));
  return { bytes, steps };
}

/** Where a key is first; -1 if it is not there. */
function placeOf(slice: Buffer, { bytes, steps }: IdKey): number {
  const near = Math.min(slice.length, NEAR_BYTES);
  let last = bytes.length - 1;
  for (; last < near; last += steps[slice[last] ?? 0] ?? 1) {
    let left = bytes.length - 1;
    let at = last;
    for (; left >= 0 && slice[at] === bytes[left]; at -= 1) left -= 1;
    if (left < 0) return at + 1;
  }
  return slice.indexOf(bytes, last - bytes.length + 1);
}
