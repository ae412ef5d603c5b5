/** What is before the audit id in the bytes of an event, as the two senders write it. */
const ID_KEYS = [Buffer.from('"auditID":"'), Buffer.from('"AuditID":"')];
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
    const at = slice.indexOf(key);
    if (at === -1) continue;
    const begin = at + key.length;
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
    const at = slice.indexOf(key);
    if (at !== -1) return isPlainIdAt(slice, at + key.length, id);
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
