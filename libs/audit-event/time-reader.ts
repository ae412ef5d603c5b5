import { BYTE } from './json-bytes';
import { WordText } from './json-words';
import { microsFromText } from './timestamp';

/** `2024-05-01T10:00:00.123456Z`: how API servers write times. */
export const USUAL_LENGTH = 27;
/** `2024-05-01T10:00:` */
const MINUTE_LENGTH = 17;
const FRACTION_AT = 20;
const DOT = 0x2e;
const Z = 0x5a;
const ZERO = 0x30;
const MICROS_PER_SECOND = 1_000_000;

/** Reads timestamps out of a body, as microsFromText does. Most of one body are of the same minute, which is read once. */
export class TimeReader {
  readonly #body: Buffer;
  readonly #words: DataView;
  #minute: WordText | undefined;
  #minuteUs = 0;

  constructor(body: Buffer, words: DataView) {
    this.#body = body;
    this.#words = words;
  }

  /**
   * Microseconds since 1970 (UTC) of the text that begins at `start`, if it is as API servers write it, of the minute
   * that was read last, and ends with its quote; below 0 for `micros` to read it.
   */
  usualMicros(start: number): number {
    const body = this.#body;
    if (!this.#minute?.isAt(body, this.#words, start)) return -1;
    const end = start + USUAL_LENGTH;
    if (body[end] !== BYTE.quote || body[end - 1] !== Z || body[start + FRACTION_AT - 1] !== DOT) {
      return -1;
    }
    const second = this.#digits(start + MINUTE_LENGTH, start + FRACTION_AT - 1);
    const fraction = this.#digits(start + FRACTION_AT, end - 1);
    // A leap second is none of this minute.
    if (second < 0 || second >= 60 || fraction < 0) return -1;
    return this.#minuteUs + second * MICROS_PER_SECOND + fraction;
  }

  /** Microseconds since 1970 (UTC) of the text from `start` to `end`, all ASCII; 0 where it is none. */
  micros(start: number, end: number): number {
    const text = this.#body.toString('latin1', start, end);
    const micros = microsFromText(text);
    this.#minute = undefined;
    if (micros !== 0 && end - start === USUAL_LENGTH) this.#remember(text.slice(0, MINUTE_LENGTH));
    return micros;
  }

  #remember(minute: string): void {
    this.#minuteUs = microsFromText(`${minute}00Z`);
    if (this.#minuteUs !== 0) this.#minute = new WordText(minute);
  }

  /** The number from `start` to `end`; below 0 if there is anything but digits. */
  #digits(start: number, end: number): number {
    let number = 0;
    for (let at = start; at < end; at++) {
      const digit = (this.#body[at] ?? 0) - ZERO;
      if (digit < 0 || digit > 9) return -1;
      number = number * 10 + digit;
    }
    return number;
  }
}
