import { BYTE, MAX_DEPTH, skipSpace } from './json-bytes';

/** What a byte does inside a string. */
const PLAIN = 0;
const ENDS = 1;
const ESCAPES = 2;
const FORBIDDEN = 3;
const IN_STRING = new Uint8Array(256).fill(FORBIDDEN, 0, 0x20);
IN_STRING[BYTE.quote] = ENDS;
IN_STRING[BYTE.backslash] = ESCAPES;

const ESCAPED = new Set(Buffer.from('"\\/bfnrt'));
const U = 0x75;
const HEX = new Set(Buffer.from('0123456789abcdefABCDEF'));
const IN_NUMBER = new Set(Buffer.from('0123456789+-.eE'));
const NUMBER = /^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$/;
const WORDS = [Buffer.from('true'), Buffer.from('false'), Buffer.from('null')];

/**
 * True if the bytes are one JSON value, as JSON.parse sees it (bytes that are not UTF-8 are allowed inside strings),
 * nested at most MAX_DEPTH deep.
 *
 * It builds nothing and does not recurse: a request body can be proven to be JSON for a fraction of the time that
 * parsing it takes.
 */
export function isValidJson(bytes: Buffer): boolean {
  const isObject = new Uint8Array(64);
  const state = { bytes, isObject, depth: 0 };
  let at = skipSpace(bytes, 0);
  for (;;) {
    at = enterValue(state, at);
    at = at < 0 ? -1 : leaveValue(state, at);
    if (at < 0) return false;
    if (state.depth === 0) return skipSpace(bytes, at) === bytes.length;
  }
}

interface State {
  readonly bytes: Buffer;
  /** For each open bracket: 1 if it is an object. Grows up to MAX_DEPTH. */
  isObject: Uint8Array;
  depth: number;
}

/** Passes a scalar or an empty object or array, or goes to the first value inside one. -1 if there is none. */
function enterValue(state: State, position: number): number {
  const { bytes } = state;
  let at = position;
  for (;;) {
    const first = bytes[at];
    if (first === BYTE.quote) return passString(bytes, at);
    const object = first === BYTE.openBrace;
    if (!object && first !== BYTE.openBracket) return passWord(bytes, at);
    if (state.depth === MAX_DEPTH) return -1;
    at = skipSpace(bytes, at + 1);
    if (bytes[at] === (object ? BYTE.closeBrace : BYTE.closeBracket)) return at + 1;
    push(state, object);
    if (object) at = passKey(bytes, at);
    if (at < 0) return -1;
  }
}

/** Closes what ends after a value and goes to the next value; -1 if neither is there. */
function leaveValue(state: State, position: number): number {
  const { bytes } = state;
  let at = position;
  while (state.depth > 0) {
    at = skipSpace(bytes, at);
    const object = state.isObject[state.depth - 1] === 1;
    if (bytes[at] === BYTE.comma) {
      const next = skipSpace(bytes, at + 1);
      return object ? passKey(bytes, next) : next;
    }
    if (bytes[at] !== (object ? BYTE.closeBrace : BYTE.closeBracket)) return -1;
    state.depth--;
    at++;
  }
  return at;
}

function push(state: State, object: boolean): void {
  if (state.depth === state.isObject.length) {
    const larger = new Uint8Array(Math.min(MAX_DEPTH, state.isObject.length * 4));
    larger.set(state.isObject);
    state.isObject = larger;
  }
  state.isObject[state.depth++] = object ? 1 : 0;
}

/** The position of the value behind the key at `position`. */
function passKey(bytes: Buffer, position: number): number {
  if (bytes[position] !== BYTE.quote) return -1;
  const end = passString(bytes, position);
  if (end < 0) return -1;
  const colon = skipSpace(bytes, end);
  return bytes[colon] === BYTE.colon ? skipSpace(bytes, colon + 1) : -1;
}

function passString(bytes: Buffer, position: number): number {
  const { length } = bytes;
  for (let at = position + 1; at < length; at++) {
    const does = IN_STRING[bytes[at] ?? 0];
    if (does === PLAIN) continue;
    if (does === ENDS) return at + 1;
    if (does === FORBIDDEN) return -1;
    at++;
    if (bytes[at] === U) {
      for (let digit = 1; digit <= 4; digit++) if (!HEX.has(bytes[at + digit] ?? 0)) return -1;
      at += 4;
    } else if (!ESCAPED.has(bytes[at] ?? 0)) {
      return -1;
    }
  }
  return -1;
}

function passWord(bytes: Buffer, position: number): number {
  for (const word of WORDS) {
    const end = position + word.length;
    if (bytes[position] === word[0]) {
      return bytes.subarray(position, end).equals(word) ? end : -1;
    }
  }
  let end = position;
  while (IN_NUMBER.has(bytes[end] ?? 0)) end++;
  return NUMBER.test(bytes.toString('latin1', position, end)) ? end : -1;
}
