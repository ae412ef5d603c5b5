import { BYTE } from './json-bytes';

/** Four bytes are looked at in one step: one by one they are most of what reading a body costs. */
const WORD_BYTES = 4;

/** A word of four times this byte. */
const fourOf = (byte: number) => Math.imul(byte, 0x01010101);
const HIGH_BIT = 0x80;
const HIGH_BITS = fourOf(HIGH_BIT);
const QUOTES = fourOf(BYTE.quote);
const BACKSLASHES = fourOf(BYTE.backslash);
/** Sets the high bit of each byte of ASCII that is not 0. */
const NOT_ZERO = fourOf(0x7f);
/** Sets the high bit of each byte of ASCII that is no control character. */
const NO_CONTROL = fourOf(0x80 - 0x20);

/** The same bytes, to be read a word at a time: a Buffer begins anywhere in its memory. */
export function wordsOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/**
 * The position of the first byte, from `position` on, that does not stand for itself as a character of a string: quotes,
 * backslashes, controls, and all that is not ASCII.
 */
export function passPlain(bytes: Buffer, words: DataView, position: number): number {
  const last = bytes.length - WORD_BYTES;
  let at = position;
  for (; at <= last; at += WORD_BYTES) {
    const odd = oddBytes(words.getInt32(at, true));
    if (odd !== 0) return at + ((31 - Math.clz32(odd & -odd)) >> 3);
  }
  while (at < bytes.length && (oddBytes(bytes[at] ?? 0) & HIGH_BIT) === 0) at++;
  return at;
}

/**
 * The high bit of each byte of a word that is not plain. A byte that is not ASCII may carry into those above it, so only
 * the lowest bit is sure.
 */
function oddBytes(word: number): number {
  const noQuote = (word ^ QUOTES) + NOT_ZERO;
  const noBackslash = (word ^ BACKSLASHES) + NOT_ZERO;
  const plain = (word + NO_CONTROL) & noQuote & noBackslash & ~word;
  return ~plain & HIGH_BITS;
}

/** A text of four bytes or more, to be found in a body word by word. */
export class WordText {
  readonly length: number;
  readonly #words: Int32Array;
  /** Its last four bytes, some of which may be in the word before too. */
  readonly #last: number;

  constructor(text: string) {
    const bytes = Buffer.from(text);
    this.length = bytes.length;
    this.#words = Int32Array.from({ length: (bytes.length - 1) / WORD_BYTES }, (_, at) =>
      bytes.readInt32LE(at * WORD_BYTES),
    );
    this.#last = bytes.readInt32LE(bytes.length - WORD_BYTES);
  }

  /** True if it begins at `start`. */
  isAt(bytes: Buffer, words: DataView, start: number): boolean {
    const last = start + this.length - WORD_BYTES;
    if (last + WORD_BYTES > bytes.length) return false;
    const own = this.#words;
    for (let at = 0; at < own.length; at++) {
      if (words.getInt32(start + at * WORD_BYTES, true) !== own[at]) return false;
    }
    return words.getInt32(last, true) === this.#last;
  }
}
