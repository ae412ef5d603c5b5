import { BYTE, MAX_DEPTH, isAt, isDigit, passPlain, skipSpace } from './json-bytes';

/** What a byte does inside a string. */
const PLAIN = 0;
const ENDS = 1;
const ESCAPES = 2;
const FORBIDDEN = 3;
const IN_STRING = new Uint8Array(256).fill(FORBIDDEN, 0, 0x20);
IN_STRING[BYTE.quote] = ENDS;
IN_STRING[BYTE.backslash] = ESCAPES;

const ESCAPED = setOf('"\\/bfnrt');
const U = 0x75;
const HEX = setOf('0123456789abcdefABCDEF');
const IN_NUMBER = setOf('0123456789+-.eE');
const NUMBER = /^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$/;
const ZERO = 0x30;
const WORDS = ['true', 'false', 'null'].map((word) => Buffer.from(word));

/** For each open bracket of the value that is being passed: 1 if it is an object. Nothing here is entered twice at once. */
const IS_OBJECT = new Uint8Array(MAX_DEPTH);

function setOf(characters: string): Uint8Array {
  const set = new Uint8Array(256);
  for (const byte of Buffer.from(characters)) set[byte] = 1;
  return set;
}

/** True if the bytes are one JSON value, as passValue sees it, with nothing but white space around it. */
export function isValidJson(bytes: Buffer): boolean {
  const end = passValue(bytes, skipSpace(bytes, 0));
  return end >= 0 && skipSpace(bytes, end) === bytes.length;
}

/**
 * The position after the JSON value that begins at `position`, as JSON.parse sees it (bytes that are not UTF-8 are allowed
 * inside strings), nested at most MAX_DEPTH deep; -1 if there is none.
 *
 * It builds nothing and does not recurse: a request body can be proven to be JSON for a fraction of the time that
 * parsing it takes.
 */
export function passValue(bytes: Buffer, position: number): number {
  let at = position;
  let depth = 0;
  for (;;) {
    const first = bytes[at];
    const isObject = first === BYTE.openBrace;
    if (first === BYTE.quote) at = passString(bytes, at);
    else if (isObject || first === BYTE.openBracket) {
      if (depth === MAX_DEPTH) return -1;
      at = skipSpace(bytes, at + 1);
      if (bytes[at] === (isObject ? BYTE.closeBrace : BYTE.closeBracket)) at++;
      else {
        IS_OBJECT[depth++] = isObject ? 1 : 0;
        if (isObject) at = passKey(bytes, at);
        if (at < 0) return -1;
        continue;
      }
    } else at = passWord(bytes, at);
    // Closes what ends after the value, and goes to the next one.
    for (;;) {
      if (depth === 0 || at < 0) return at;
      at = skipSpace(bytes, at);
      const next = bytes[at];
      const inObject = IS_OBJECT[depth - 1] === 1;
      if (next === BYTE.comma) {
        at = skipSpace(bytes, at + 1);
        if (inObject) at = passKey(bytes, at);
        if (at < 0) return -1;
        break;
      }
      if (next !== (inObject ? BYTE.closeBrace : BYTE.closeBracket)) return -1;
      depth--;
      at++;
    }
  }
}

/** The position of the value behind the key at `position`. */
function passKey(bytes: Buffer, position: number): number {
  if (bytes[position] !== BYTE.quote) return -1;
  const end = passString(bytes, position);
  if (end < 0) return -1;
  const colon = bytes[end] === BYTE.colon ? end : skipSpace(bytes, end);
  return bytes[colon] === BYTE.colon ? skipSpace(bytes, colon + 1) : -1;
}

/** The position after the string whose opening quote is at `position`; -1 if it is not valid. */
export function passString(bytes: Buffer, position: number): number {
  const { length } = bytes;
  let at = passPlain(bytes, position + 1);
  for (; at < length; at++) {
    const does = IN_STRING[bytes[at] ?? 0];
    if (does === PLAIN) continue;
    if (does === ENDS) return at + 1;
    if (does === FORBIDDEN) return -1;
    at++;
    if (bytes[at] === U) {
      for (let digit = 1; digit <= 4; digit++) if (!HEX[bytes[at + digit] ?? 0]) return -1;
      at += 4;
    } else if (!ESCAPED[bytes[at] ?? 0]) {
      return -1;
    }
  }
  return -1;
}

function passWord(bytes: Buffer, position: number): number {
  const first = bytes[position] ?? 0;
  // Whole numbers without a sign are the most.
  let end = position;
  if (first !== ZERO && isDigit(first)) {
    while (isDigit(bytes[end] ?? 0)) end++;
    if (!IN_NUMBER[bytes[end] ?? 0]) return end;
  }
  for (const word of WORDS) if (isAt(bytes, position, word)) return position + word.length;
  while (IN_NUMBER[bytes[end] ?? 0]) end++;
  return NUMBER.test(bytes.toString('latin1', position, end)) ? end : -1;
}
