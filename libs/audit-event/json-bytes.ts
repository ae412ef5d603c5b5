/** Bytes that mean something in JSON, by name. */
export const BYTE = {
  quote: 0x22,
  comma: 0x2c,
  colon: 0x3a,
  openBracket: 0x5b,
  backslash: 0x5c,
  closeBracket: 0x5d,
  openBrace: 0x7b,
  closeBrace: 0x7d,
} as const;

/**
 * Deepest nesting that is read: what Go's encoding/json allows, so no API server sends more. Deeper values are not
 * valid here, which bounds the stack of whoever walks one.
 */
export const MAX_DEPTH = 10_000;

const OTHER = 0;
const SPACE = 1;
const QUOTE = 2;
const OPEN = 3;
const CLOSE = 4;
const COMMA = 5;

/** What each byte means outside of strings. */
const CLASS = new Uint8Array(256);
for (const byte of [0x20, 0x09, 0x0a, 0x0d]) CLASS[byte] = SPACE;
CLASS[BYTE.quote] = QUOTE;
CLASS[BYTE.openBrace] = CLASS[BYTE.openBracket] = OPEN;
CLASS[BYTE.closeBrace] = CLASS[BYTE.closeBracket] = CLOSE;
CLASS[BYTE.comma] = COMMA;

/** The position of the first byte from `position` on that is no JSON white space. */
export function skipSpace(bytes: Buffer, position: number): number {
  let at = position;
  // Programs write none.
  if ((bytes[at] ?? 0) > 0x20) return at;
  while (at < bytes.length && CLASS[bytes[at] ?? 0] === SPACE) at++;
  return at;
}

/** The position after the string whose opening quote is at `position`; -1 if it does not end. */
export function skipString(bytes: Buffer, position: number): number {
  const { length } = bytes;
  for (let at = position + 1; at < length; at++) {
    const byte = bytes[at];
    if (byte === BYTE.quote) return at + 1;
    if (byte === BYTE.backslash) at++;
  }
  return -1;
}

/**
 * The position after the value that begins at `position`, by quotes and brackets alone: it need not be valid JSON. -1
 * if it does not end, `position` itself if there is none.
 */
export function skipLoose(bytes: Buffer, position: number): number {
  const first = CLASS[bytes[position] ?? 0];
  if (first === QUOTE) return skipString(bytes, position);
  return first === OPEN ? skipBrackets(bytes, position) : skipWord(bytes, position);
}

function skipBrackets(bytes: Buffer, position: number): number {
  const { length } = bytes;
  let depth = 0;
  let at = position;
  while (at < length) {
    const kind = CLASS[bytes[at] ?? 0] ?? OTHER;
    at++;
    if (kind < QUOTE) continue;
    if (kind === QUOTE) {
      at = skipString(bytes, at - 1);
      if (at < 0) return -1;
    } else if (kind === OPEN) {
      depth++;
    } else if (kind === CLOSE && --depth === 0) {
      return at;
    }
  }
  return -1;
}

function skipWord(bytes: Buffer, position: number): number {
  let at = position;
  while (at < bytes.length && CLASS[bytes[at] ?? 0] === OTHER) at++;
  return at;
}

/** The text of a key whose quotes are at `start` and before `end`, escapes resolved; undefined if it is no string. */
export function keyText(bytes: Buffer, start: number, end: number): string | undefined {
  const text = bytes.toString('utf8', start + 1, end - 1);
  if (!text.includes('\\')) return text;
  try {
    return JSON.parse(`"${text}"`) as string;
  } catch {
    return undefined;
  }
}

/** One member of an object: positions of its key, quotes included, and of its value. */
export interface Member {
  readonly keyStart: number;
  readonly keyEnd: number;
  readonly valueStart: number;
  readonly valueEnd: number;
}

/** The position of the value behind a key that ends at `keyEnd`; -1 if there is no colon. */
export function valueAfterKey(bytes: Buffer, keyEnd: number): number {
  const colon = skipSpace(bytes, keyEnd);
  return bytes[colon] === BYTE.colon ? skipSpace(bytes, colon + 1) : -1;
}

/**
 * The members of the object that begins at `position`, as far as it is well-formed; values are passed over by
 * skipLoose. Duplicate keys come as often as they are there.
 */
export function* looseMembers(bytes: Buffer, position: number): Generator<Member, void> {
  let at = skipSpace(bytes, position + 1);
  while (bytes[at] === BYTE.quote) {
    const keyEnd = skipString(bytes, at);
    const valueStart = keyEnd < 0 ? -1 : valueAfterKey(bytes, keyEnd);
    const valueEnd = valueStart < 0 ? -1 : skipLoose(bytes, valueStart);
    if (valueEnd < 0) break;
    yield { keyStart: at, keyEnd, valueStart, valueEnd };
    const next = skipSpace(bytes, valueEnd);
    if (bytes[next] !== BYTE.comma) break;
    at = skipSpace(bytes, next + 1);
  }
}
