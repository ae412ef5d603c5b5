import type { HistogramBucket } from '@auditing/proto/archive';
import { badParameter } from './api-error';

/** The width of a histogram's buckets. */
export type Interval =
  | { readonly unit: 'seconds'; readonly count: number }
  /** Calendar months, in UTC: they have no fixed length. */
  | { readonly unit: 'months'; readonly count: number }
  /** Weeks begin on Mondays, which multiples of a week since 1970 do not. */
  | { readonly unit: 'weeks'; readonly count: number };

/** A bucket: milliseconds since 1970 of its beginning, and how many events lie in it. */
export interface Bucket {
  readonly startMs: number;
  readonly count: number;
}

const UNITS: Readonly<Record<string, (count: number) => Interval>> = {
  s: (count) => ({ unit: 'seconds', count }),
  m: (count) => ({ unit: 'seconds', count: count * 60 }),
  h: (count) => ({ unit: 'seconds', count: count * 3_600 }),
  d: (count) => ({ unit: 'seconds', count: count * DAY_SECONDS }),
  w: (count) => ({ unit: 'weeks', count }),
  M: (count) => ({ unit: 'months', count }),
  q: (count) => ({ unit: 'months', count: count * 3 }),
  y: (count) => ({ unit: 'months', count: count * 12 }),
};

const DAY_SECONDS = 86_400;
const DAY_MS = DAY_SECONDS * 1_000;
const WEEK_DAYS = 7;
/** 1970-01-01 was a Thursday: the Monday before it is day -3. */
const FIRST_MONDAY = -3;
const WANTED = {
  expected: 'a whole number from 1 and one of s, m, h, d, w, M (month), q (quarter), y',
  example: '15m',
} as const;

/** Reads `15m`. Throws ApiError with status 400. */
export function parseInterval(parameter: string, text: string): Interval {
  const [, digits = '', unit = ''] = /^([1-9]\d{0,5})([smhdwMqy])$/.exec(text) ?? [];
  const interval = UNITS[unit]?.(Number(digits));
  if (!interval) throw badParameter(parameter, text, WANTED);
  return interval;
}

/** What to ask the archive for: the width itself, or days, of which calendar buckets are made. */
export function archiveSeconds(interval: Interval): number {
  return interval.unit === 'seconds' ? interval.count : DAY_SECONDS;
}

/** Buckets of the interval out of those that the archive gave, ascending and without gaps. */
export function foldBuckets(buckets: readonly HistogramBucket[], interval: Interval): Bucket[] {
  const counts = new Map<number, number>();
  for (const { start, count } of buckets) {
    const ms = Number(start?.seconds ?? 0n) * 1_000;
    const startMs = bucketStart(ms, interval);
    counts.set(startMs, (counts.get(startMs) ?? 0) + Number(count));
  }
  return [...counts].map(([startMs, count]) => ({ startMs, count }));
}

function bucketStart(ms: number, { unit, count }: Interval): number {
  switch (unit) {
    case 'seconds':
      return ms;
    case 'weeks': {
      const days = count * WEEK_DAYS;
      const day = Math.floor(ms / DAY_MS) - FIRST_MONDAY;
      return (Math.floor(day / days) * days + FIRST_MONDAY) * DAY_MS;
    }
    case 'months': {
      const date = new Date(ms);
      const months = date.getUTCFullYear() * 12 + date.getUTCMonth();
      const first = Math.floor(months / count) * count;
      return Date.UTC(Math.floor(first / 12), first % 12);
    }
  }
}
