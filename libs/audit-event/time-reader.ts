import { microsFromText } from './timestamp';

/** `2024-05-01T10:00:00.123456Z`: how API servers write times. */
const USUAL_LENGTH = 27;
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
  #minuteAt = -1;
  #minuteUs = 0;

  constructor(body: Buffer) {
    this.#body = body;
  }

  /** Microseconds since 1970 (UTC) of the text from `start` to `end`, all ASCII; 0 where it is none. */
  micros(start: number, end: number): number {
    const body = this.#body;
    const isUsual =
      end - start === USUAL_LENGTH &&
      body[start + FRACTION_AT - 1] === DOT &&
      body[end - 1] === Z &&
      this.#isSameMinute(start);
    if (isUsual) {
      const second = this.#digits(start + MINUTE_LENGTH, start + FRACTION_AT - 1);
      const fraction = this.#digits(start + FRACTION_AT, end - 1);
      // A leap second is none of this minute.
      if (second >= 0 && second < 60 && fraction >= 0) {
        return this.#minuteUs + second * MICROS_PER_SECOND + fraction;
      }
    }
    const micros = microsFromText(body.toString('latin1', start, end));
    this.#minuteAt = -1;
    if (micros !== 0 && end - start === USUAL_LENGTH) this.#remember(start);
    return micros;
  }

  #isSameMinute(start: number): boolean {
    const body = this.#body;
    const known = this.#minuteAt;
    if (known < 0) return false;
    for (let at = MINUTE_LENGTH - 1; at >= 0; at--) {
      if (body[known + at] !== body[start + at]) return false;
    }
    return true;
  }

  #remember(start: number): void {
    const minute = this.#body.toString('latin1', start, start + MINUTE_LENGTH);
    this.#minuteUs = microsFromText(`${minute}00Z`);
    this.#minuteAt = this.#minuteUs === 0 ? -1 : start;
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
