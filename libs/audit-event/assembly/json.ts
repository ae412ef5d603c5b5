/** So many bytes after what is read are 0, which nothing here passes over: no loop has to ask whether it is at the end. */
export const PADDING: i32 = 64;
/** What a function here gives that finds no valid value: nothing that is read begins there. */
export const NONE: usize = 0;

// Bytes that mean something in JSON, by name.
export const QUOTE: u8 = 0x22;
export const COMMA: u8 = 0x2c;
export const COLON: u8 = 0x3a;
export const OPEN_BRACE: u8 = 0x7b;
export const CLOSE_BRACE: u8 = 0x7d;
export const OPEN_BRACKET: u8 = 0x5b;
export const CLOSE_BRACKET: u8 = 0x5d;
export const DOT: u8 = 0x2e;
export const ZERO: u8 = 0x30;
const BACKSLASH: u8 = 0x5c;
const SPACE: u8 = 0x20;
const PLUS: u8 = 0x2b;
const MINUS: u8 = 0x2d;
/** Letters in lower case, and digits, have it set: one comparison is good for both cases of a letter. */
export const LOWER_BIT: u8 = 0x20;
/** `true`, `null`, `fals` as numbers, and what comes after the last of them. */
const TRUE: u32 = 0x65757274;
const NULL: u32 = 0x6c6c756e;
const FALS: u32 = 0x736c6166;
const WORD_BYTES: usize = 4;

/** Deepest nesting that is valid here: MAX_DEPTH in json-bytes.ts says why. */
const MAX_DEPTH: i32 = 10_000;
/** For each open bracket of the value that is being passed: 1 if it is an object. Nothing here is entered twice at once. */
const IS_OBJECT: usize = memory.data(MAX_DEPTH);

/** The byte at an address. */
export function byteAt(at: usize): u8 {
  return load<u8>(at);
}

/** The position of the first byte, from `start` on, that is no JSON white space. */
export function skipSpace(start: usize): usize {
  // Programs write none.
  return byteAt(start) > SPACE ? start : passSpace(start);
}

function passSpace(start: usize): usize {
  let at = start;
  while (true) {
    const byte = byteAt(at);
    if (byte != SPACE && byte != 0x0a && byte != 0x0d && byte != 0x09) return at;
    at++;
  }
}

/**
 * The position of the first byte, from `start` on, that does not stand for itself as a character of a string: quotes,
 * backslashes, controls, and all that is not ASCII.
 */
export function passPlain(start: usize): usize {
  let at = start;
  while (true) {
    const bytes = v128.load(at);
    // As signed numbers, bytes that are not ASCII are below all others.
    const odd = v128.or(endsText(bytes), i8x16.lt_s(bytes, i8x16.splat(SPACE)));
    const mask = i8x16.bitmask(odd);
    if (mask) return at + ctz(mask);
    at += 16;
  }
}

function endsText(bytes: v128): v128 {
  return v128.or(i8x16.eq(bytes, i8x16.splat(QUOTE)), i8x16.eq(bytes, i8x16.splat(BACKSLASH)));
}

/** The position after the string whose opening quote is at `start`; NONE if it is not valid. Bytes need not be UTF-8. */
export function passString(start: usize): usize {
  let at = start + 1;
  while (true) {
    const bytes = v128.load(at);
    const odd = v128.or(endsText(bytes), i8x16.lt_u(bytes, i8x16.splat(SPACE)));
    const mask = i8x16.bitmask(odd);
    if (!mask) {
      at += 16;
      continue;
    }
    at += ctz(mask);
    const byte = byteAt(at);
    if (byte == QUOTE) return at + 1;
    if (byte != BACKSLASH) return NONE;
    at = passEscape(at);
    if (at == NONE) return NONE;
  }
}

/** The position after the escape whose backslash is at `start`; NONE if it is not valid. */
function passEscape(start: usize): usize {
  switch (byteAt(start + 1)) {
    case 0x22: // "
    case 0x2f: // /
    case 0x5c: // \
    case 0x62: // b
    case 0x66: // f
    case 0x6e: // n
    case 0x72: // r
    case 0x74: // t
      return start + 2;
    case 0x75: // u
      for (let at = start + 2; at < start + 6; at++) if (!isHex(byteAt(at))) return NONE;
      return start + 6;
    default:
      return NONE;
  }
}

function isHex(byte: u8): bool {
  return isDigit(byte) || <u8>((byte | LOWER_BIT) - 0x61) < 6;
}

/** True for `0` to `9`. */
export function isDigit(byte: u8): bool {
  return <u8>(byte - ZERO) < 10;
}

/** The position of the first byte, from `start` on, that is no digit. */
export function passDigits(start: usize): usize {
  let at = start;
  while (isDigit(byteAt(at))) at++;
  return at;
}

/**
 * The position after the JSON value that begins at `start`, as JSON.parse sees it (bytes that are not UTF-8 are allowed inside
 * strings), nested at most MAX_DEPTH deep; NONE if there is none. It does not recurse.
 */
export function passValue(start: usize): usize {
  let at = start;
  let depth: i32 = 0;
  while (true) {
    const first = byteAt(at);
    const isObject = first == OPEN_BRACE;
    if (first == QUOTE) at = passString(at);
    else if (isObject || first == OPEN_BRACKET) {
      if (depth == MAX_DEPTH) return NONE;
      at = skipSpace(at + 1);
      if (byteAt(at) == (isObject ? CLOSE_BRACE : CLOSE_BRACKET)) at++;
      else {
        store<u8>(IS_OBJECT + depth++, <u8>isObject);
        if (isObject) at = passKey(at);
        if (at == NONE) return NONE;
        continue;
      }
    } else at = passWord(at);
    // Closes what ends after the value, and goes to the next one.
    while (true) {
      if (depth == 0 || at == NONE) return at;
      at = skipSpace(at);
      const next = byteAt(at);
      const inObject = load<u8>(IS_OBJECT + depth - 1) == 1;
      if (next == COMMA) {
        at = skipSpace(at + 1);
        if (inObject) at = passKey(at);
        if (at == NONE) return NONE;
        break;
      }
      if (next != (inObject ? CLOSE_BRACE : CLOSE_BRACKET)) return NONE;
      depth--;
      at++;
    }
  }
}

/** The position of the value behind the key at `start`. */
function passKey(start: usize): usize {
  if (byteAt(start) != QUOTE) return NONE;
  const end = passString(start);
  return end == NONE ? NONE : valueAfterKey(end);
}

/** The position of the value behind a key that ends at `keyEnd`; NONE if there is no colon. */
export function valueAfterKey(keyEnd: usize): usize {
  const colon = skipSpace(keyEnd);
  return byteAt(colon) == COLON ? skipSpace(colon + 1) : NONE;
}

function passWord(start: usize): usize {
  const word = load<u32>(start);
  if (word == TRUE || word == NULL) return start + WORD_BYTES;
  if (word == FALS && byteAt(start + WORD_BYTES) == 0x65) return start + WORD_BYTES + 1;
  return passNumber(start);
}

function passNumber(start: usize): usize {
  let at = start;
  if (byteAt(at) == MINUS) at++;
  if (byteAt(at) == ZERO) at++;
  else at = passSomeDigits(at);
  if (at != NONE && byteAt(at) == DOT) at = passSomeDigits(at + 1);
  if (at != NONE && (byteAt(at) | LOWER_BIT) == 0x65) {
    const sign = byteAt(at + 1);
    at = passSomeDigits(at + (sign == PLUS || sign == MINUS ? 2 : 1));
  }
  return at;
}

/** As passDigits; NONE if there is no digit. */
function passSomeDigits(start: usize): usize {
  const end = passDigits(start);
  return end == start ? NONE : end;
}

/** The position after the list of plain texts at `start`, without white space, as programs write one; NONE if it is anything else. */
export function passPlainList(start: usize): usize {
  if (byteAt(start) != OPEN_BRACKET) return NONE;
  let at = start + 1;
  if (byteAt(at) == CLOSE_BRACKET) return at + 1;
  while (true) {
    if (byteAt(at) != QUOTE) return NONE;
    at = passPlain(at + 1);
    if (byteAt(at) != QUOTE) return NONE;
    at++;
    if (byteAt(at) == CLOSE_BRACKET) return at + 1;
    if (byteAt(at) != COMMA) return NONE;
    at++;
  }
}

/** Whether the bytes from `one` on are those from `other` on, `length` of them. */
export function isSame(one: usize, other: usize, length: i32): bool {
  return length <= 16 ? isSameShort(one, other, length) : isSameLong(one, other, length);
}

function isSameShort(one: usize, other: usize, length: i32): bool {
  const wanted: i32 = (1 << length) - 1;
  return (equalBytes(one, other) & wanted) == wanted;
}

function isSameLong(one: usize, other: usize, length: i32): bool {
  const last = length - 16;
  // The end first: names differ there.
  if (equalBytes(one + last, other + last) != 0xffff) return false;
  for (let at = 0; at < last; at += 16)
    if (equalBytes(one + at, other + at) != 0xffff) return false;
  return true;
}

/** A bit for each of sixteen bytes: set where both are equal. */
function equalBytes(one: usize, other: usize): i32 {
  return i8x16.bitmask(i8x16.eq(v128.load(one), v128.load(other)));
}
