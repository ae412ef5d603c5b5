import type { Timestamp } from '@auditing/proto/timestamp';

const MICROS_PER_SECOND = 1_000_000;
const NANOS_PER_MICRO = 1000;

const SECONDS_PER_DAY = 86_400;
/** Length of the part before fraction and zone: `2024-05-01T10:00:00`. */
const PREFIX_LENGTH = 19;
const FRACTION_DIGITS = 6;
const DAYS_OF_MONTH = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/**
 * RFC 3339 text, with any number of fraction digits and any offset, to microseconds since 1970 (UTC). Digits beyond the
 * sixth of a fraction are cut off; a leap second is the first second of the next minute.
 *
 * 0 for anything else: absent, not text, no such day, and Go's zero time (year 1), which stands for "not set". Exact
 * to the microsecond until the year 2255, where a double ends to hold every whole number.
 */
export function microsFromText(text: unknown): number {
  if (typeof text !== 'string') return 0;
  let at = PREFIX_LENGTH;
  let fraction = 0;
  if (text[at] === '.') {
    const first = ++at;
    while (!Number.isNaN(digit(text, at))) at++;
    if (at === first) return 0;
    for (let place = first; place < first + FRACTION_DIGITS; place++) {
      fraction = fraction * 10 + (place < at ? digit(text, place) : 0);
    }
  }
  const seconds = dateSeconds(text) + timeSeconds(text) - offsetSeconds(text, at);
  return Number.isNaN(seconds) ? 0 : seconds * MICROS_PER_SECOND + fraction;
}

// The parts below are NaN where the text is not what they expect; one NaN makes the sum NaN.

function digit(text: string, at: number): number {
  const value = text.charCodeAt(at) - 0x30;
  return value >= 0 && value <= 9 ? value : Number.NaN;
}

function twoDigits(text: string, at: number): number {
  return digit(text, at) * 10 + digit(text, at + 1);
}

/** Seconds from 1970 to the beginning of the day. */
function dateSeconds(text: string): number {
  const year = twoDigits(text, 0) * 100 + twoDigits(text, 2);
  const month = twoDigits(text, 5);
  const day = twoDigits(text, 8);
  const isLeap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  const days = month === 2 && isLeap ? 29 : DAYS_OF_MONTH[month - 1];
  const exists = days !== undefined && day >= 1 && day <= days && year > 1;
  if (!exists || text[4] !== '-' || text[7] !== '-') return Number.NaN;
  // Years begin in March here, so that the leap day is the last of its year.
  const marchYear = month > 2 ? year : year - 1;
  const leapDays =
    Math.floor(marchYear / 4) - Math.floor(marchYear / 100) + Math.floor(marchYear / 400);
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  return (marchYear * 365 + leapDays + dayOfYear - DAYS_TO_1970) * SECONDS_PER_DAY;
}

/** Days from 1 March of year 0 to 1 January 1970. */
const DAYS_TO_1970 = 719_468;

function timeSeconds(text: string): number {
  const hour = twoDigits(text, 11);
  const minute = twoDigits(text, 14);
  const second = twoDigits(text, 17);
  const separator = text[10];
  const wellFormed =
    (separator === 'T' || separator === 't' || separator === ' ') &&
    text[13] === ':' &&
    text[16] === ':';
  if (!wellFormed || hour > 23 || minute > 59 || second > 60) return Number.NaN;
  return (hour * 60 + minute) * 60 + second;
}

/** What the zone at `at`, which must end the text, is ahead of UTC. */
function offsetSeconds(text: string, at: number): number {
  const sign = text[at];
  if (sign === 'Z' || sign === 'z') return text.length === at + 1 ? 0 : Number.NaN;
  if (text.length !== at + '+00:00'.length || text[at + 3] !== ':') return Number.NaN;
  const seconds = (twoDigits(text, at + 1) * 60 + twoDigits(text, at + 4)) * 60;
  if (sign === '+') return seconds;
  return sign === '-' ? -seconds : Number.NaN;
}

/** Microseconds since 1970 to RFC 3339 text in UTC with 6 digits, as API servers write it. Empty for 0. */
export function textFromMicros(micros: number): string {
  if (micros === 0) return '';
  const { seconds, rest } = divide(micros);
  const text = new Date(seconds * 1000).toISOString().slice(0, -'.000Z'.length);
  return `${text}.${String(rest).padStart(6, '0')}Z`;
}

/** Microseconds since 1970 to a protobuf Timestamp. Undefined for 0. */
export function timestampFromMicros(micros: number): Timestamp | undefined {
  if (micros === 0) return undefined;
  const { seconds, rest } = divide(micros);
  return { seconds: BigInt(seconds), nanos: rest * NANOS_PER_MICRO };
}

/** A protobuf Timestamp to microseconds since 1970. 0 for undefined. */
export function microsFromTimestamp(timestamp: Timestamp | undefined): number {
  if (!timestamp) return 0;
  return (
    Number(timestamp.seconds) * MICROS_PER_SECOND + Math.floor(timestamp.nanos / NANOS_PER_MICRO)
  );
}

/** Whole seconds and the microseconds above them, also before 1970. */
function divide(micros: number): { seconds: number; rest: number } {
  const whole = Math.floor(micros);
  const seconds = Math.floor(whole / MICROS_PER_SECOND);
  return { seconds, rest: whole - seconds * MICROS_PER_SECOND };
}
