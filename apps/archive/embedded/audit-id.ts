/** What is before the audit id in the bytes of an event, as the two senders write it. */
const ID_KEYS = [Buffer.from('"auditID":"'), Buffer.from('"AuditID":"')];
const QUOTE = 0x22;
/** The API server refuses longer ones. */
const ID_MAX_BYTES = 256;
const PLAIN_ID = /^[\w.:-]+$/;

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
