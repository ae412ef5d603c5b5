import { microsOf, minuteOf } from './host';
import { DOT, QUOTE, ZERO, byteAt, isDigit, isSame, passPlain } from './json';

/** `2024-05-01T10:00:00.123456Z`: how API servers write times. */
const USUAL_LENGTH: usize = 27;
/** `2024-05-01T10:00:` */
const MINUTE_LENGTH: i32 = 17;
const SECOND_AT: usize = 17;
const FRACTION_AT: usize = 20;
const FRACTION_DIGITS: i32 = 6;
const Z: u8 = 0x5a;

/** Most times of one body are of the same minute, which is read once: its text, followed by what isSame may read. */
const MINUTE: usize = memory.data(32);
let isKnown: bool = false;
let minuteUs: f64 = 0;
/** Of the time that was read last, in microseconds since 1970 (UTC); 0 if it was none. */
export let micros: f64 = 0;

export function forgetMinute(): void {
  isKnown = false;
}

/** Reads the time whose opening quote is at `start` into `micros`. The position after its closing quote; 0 for JSON.parse to read it. */
export function passTime(start: usize): usize {
  const text = start + 1;
  const usual = text + USUAL_LENGTH;
  if (isKnown && isSame(MINUTE, text, MINUTE_LENGTH) && isUsual(text)) {
    micros = minuteUs + <f64>(second(text) * 1_000_000 + fraction(text));
    return usual + 1;
  }
  const end = passPlain(text);
  if (byteAt(end) != QUOTE) return 0;
  micros = microsOf(text, end);
  isKnown = false;
  if (micros != 0 && end == usual) remember(text);
  return end + 1;
}

function remember(text: usize): void {
  minuteUs = minuteOf(text, text + MINUTE_LENGTH);
  isKnown = minuteUs != 0;
  memory.copy(MINUTE, text, MINUTE_LENGTH);
}

/** Whether all after the minute is as API servers write it. A leap second is none of its minute. */
function isUsual(text: usize): bool {
  if (byteAt(text + USUAL_LENGTH) != QUOTE || byteAt(text + USUAL_LENGTH - 1) != Z) return false;
  if (byteAt(text + FRACTION_AT - 1) != DOT) return false;
  if (!isDigit(byteAt(text + SECOND_AT)) || !isDigit(byteAt(text + SECOND_AT + 1))) return false;
  for (let at = 0; at < FRACTION_DIGITS; at++)
    if (!isDigit(byteAt(text + FRACTION_AT + at))) return false;
  return second(text) < 60;
}

function second(text: usize): i32 {
  return digit(text + SECOND_AT) * 10 + digit(text + SECOND_AT + 1);
}

function fraction(text: usize): i32 {
  let number = 0;
  for (let at = 0; at < FRACTION_DIGITS; at++)
    number = number * 10 + digit(text + FRACTION_AT + at);
  return number;
}

function digit(at: usize): i32 {
  return <i32>(byteAt(at) - ZERO);
}
