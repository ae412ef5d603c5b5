import type { Timestamp } from '@auditing/proto/timestamp';

const MICROS_PER_SECOND = 1_000_000;
const NANOS_PER_MICRO = 1000;

/** RFC 3339: any number of fraction digits, any offset; T, Z and the space in their variants. */
const RFC_3339 =
  /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))$/;

/**
 * RFC 3339 text to microseconds since 1970 (UTC). Digits beyond the sixth of a fraction are cut off.
 *
 * 0 for anything else: absent, not text, no such day, and Go's zero time (year 1), which stands for "not set". Exact
 * to the microsecond: a double holds these whole numbers until the year 2255.
 */
export function microsFromText(text: unknown): number {
  if (typeof text !== 'string') return 0;
  const found = RFC_3339.exec(text);
  if (!found) return 0;
  const [, year, month, day, hour, minute, second, fraction = '', sign, offsetHour, offsetMinute] =
    found.map((part) => part as string | undefined);
  const millis = utcMillis([year, month, day, hour, minute, second].map(Number));
  if (Number.isNaN(millis) || Number(year) <= 1) return 0;
  const offsetSeconds = (Number(offsetHour ?? 0) * 60 + Number(offsetMinute ?? 0)) * 60;
  const seconds = millis / 1000 - (sign === '-' ? -offsetSeconds : offsetSeconds);
  return seconds * MICROS_PER_SECOND + Number(fraction.slice(0, 6).padEnd(6, '0'));
}

/** NaN where there is no such day or time. A leap second is the first one of the next minute. */
function utcMillis(parts: readonly number[]): number {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts;
  if (hour > 23 || minute > 59 || second > 60) return Number.NaN;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return Number.NaN;
  return date.setUTCHours(hour, minute, second);
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
