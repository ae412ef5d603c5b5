import { BYTE, MAX_DEPTH, isAt, isDigit, skipSpace } from './json-bytes';
import { passPlain, wordsOf } from './json-words';

/** Control characters, which strings must not have, are below it. */
const FIRST_PRINTED = 0x20;
const NOT_ASCII = 0x80;
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
  const end = passValue(bytes, wordsOf(bytes), skipSpace(bytes, 0));
  return end >= 0 && skipSpace(bytes, end) === bytes.length;
}

/**
 * The position after the JSON value that begins at `position`, as JSON.parse sees it (bytes that are not UTF-8 are allowed
 * inside strings), nested at most MAX_DEPTH deep; -1 if there is none.
 *
 * It builds nothing and does not recurse: a request body can be proven to be JSON for a fraction of the time that
 * parsing it takes.
 */
export function passValue(bytes: Buffer, words: DataView, position: number): number {
  let at = position;
  let depth = 0;
  for (;;) {
    const first = bytes[at];
    const isObject = first === BYTE.openBrace;
    if (first === BYTE.quote) at = passString(bytes, words, at);
    else if (isObject || first === BYTE.openBracket) {
      if (depth === MAX_DEPTH) return -1;
      at = skipSpace(bytes, at + 1);
      if (bytes[at] === (isObject ? BYTE.closeBrace : BYTE.closeBracket)) at++;
      else {
        IS_OBJECT[depth++] = isObject ? 1 : 0;
        if (isObject) at = passKey(bytes, words, at);
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
        if (inObject) at = passKey(bytes, words, at);
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
function passKey(bytes: Buffer, words: DataView, position: number): number {
  if (bytes[position] !== BYTE.quote) return -1;
  const end = passString(bytes, words, position);
  if (end < 0) return -1;
  const colon = bytes[end] === BYTE.colon ? end : skipSpace(bytes, end);
  return bytes[colon] === BYTE.colon ? skipSpace(bytes, colon + 1) : -1;
}

/** The position after the string whose opening quote is at `position`; -1 if it is not valid. */
export function passString(bytes: Buffer, words: DataView, position: number): number {
  let at = position + 1;
  for (;;) {
    at = passPlain(bytes, words, at);
    while ((bytes[at] ?? 0) >= NOT_ASCII) at++;
    const byte = bytes[at];
    if (byte === BYTE.quote) return at + 1;
    if (byte === BYTE.backslash) {
      at = passEscape(bytes, at);
      if (at < 0) return -1;
    } else if (byte === undefined || byte < FIRST_PRINTED) return -1;
  }
}

/** The position after the escape whose backslash is at `position`; -1 if it is not valid. */
function passEscape(bytes: Buffer, position: number): number {
  const kind = bytes[position + 1] ?? 0;
  if (kind !== U) return ESCAPED[kind] ? position + 2 : -1;
  const digits = position + 2;
  for (let at = digits; at < digits + 4; at++) if (!HEX[bytes[at] ?? 0]) return -1;
  return digits + 4;
}

/**
 * The position after the list of plain texts at `position`, without white space, as JSON.stringify writes one; -1 if it is
 * anything else.
 */
export function passPlainList(bytes: Buffer, words: DataView, position: number): number {
  if (bytes[position] !== BYTE.openBracket) return -1;
  let at = position + 1;
  if (bytes[at] === BYTE.closeBracket) return at + 1;
  for (;;) {
    if (bytes[at] !== BYTE.quote) return -1;
    at = passPlain(bytes, words, at + 1);
    if (bytes[at] !== BYTE.quote) return -1;
    at++;
    if (bytes[at] === BYTE.closeBracket) return at + 1;
    if (bytes[at] !== BYTE.comma) return -1;
    at++;
  }
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
