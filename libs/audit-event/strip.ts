import { Strip } from '@auditing/proto/event';
import { type Member, keyText, looseMembers, skipSpace } from './json-bytes';

/** The top-level keys that hold bodies, in lower case. */
const REQUEST_KEY = 'requestobject';
const RESPONSE_KEY = 'responseobject';

/**
 * The event without its top-level request and response objects, as `strip` says. Every other byte stays as it is, white
 * space included. Keys are found in any case, with escapes, and as often as they are there: none is left.
 *
 * `bytes` must be one valid JSON object. Returns `bytes` itself where there is nothing to remove.
 */
export function stripBodies(bytes: Buffer, strip: Strip): Buffer {
  const keys = keysOf(strip);
  if (keys.length === 0) return bytes;
  const parts: Buffer[] = [];
  let removed = 0;
  let previousEnd = 0;
  for (const member of looseMembers(bytes, skipSpace(bytes, 0))) {
    if (previousEnd === 0) parts.push(bytes.subarray(0, member.keyStart));
    if (keys.includes(lowerKey(bytes, member))) {
      removed++;
    } else {
      // What stands between two members, their comma among it, goes with the later one.
      const start = parts.length > 1 ? previousEnd : member.keyStart;
      parts.push(bytes.subarray(start, member.valueEnd));
    }
    previousEnd = member.valueEnd;
  }
  if (removed === 0) return bytes;
  parts.push(bytes.subarray(previousEnd));
  return Buffer.concat(parts);
}

function keysOf(strip: Strip): readonly string[] {
  switch (strip) {
    case Strip.RESPONSE:
      return [RESPONSE_KEY];
    case Strip.BODIES:
      return [REQUEST_KEY, RESPONSE_KEY];
    case Strip.UNSPECIFIED:
    case Strip.UNRECOGNIZED:
      return [];
  }
}

function lowerKey(bytes: Buffer, member: Member): string {
  return keyText(bytes, member.keyStart, member.keyEnd)?.toLowerCase() ?? '';
}
