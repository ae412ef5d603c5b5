import type { Timestamp } from '@auditing/proto/timestamp';
import { badParameter } from './api-error';

const TIME = {
  expected: 'seconds since 1970, or a time as of RFC 3339',
  example: '1714557600 or 2024-05-01T10:00:00Z',
} as const;

/** What a time looks like, as JSON schema; empty: none. */
export const TIME_SCHEMA = {
  type: 'string',
  pattern:
    '^([0-9]{1,11}|[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-9:]{8}([.][0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2}))?$',
  examples: ['2024-05-01T10:00:00Z', '1714557600'],
} as const;

/** Seconds since 1970, or RFC 3339. Throws ApiError with status 400. */
export function readTime(parameter: string, text: string): Timestamp {
  if (/^\d{1,11}$/.test(text)) return { seconds: BigInt(text), nanos: 0 };
  const parts = /^(\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)$/.exec(
    text,
  );
  const millis = parts ? Date.parse(`${parts[1]}${parts[3]}`.toUpperCase().replace(' ', 'T')) : NaN;
  if (Number.isNaN(millis)) throw badParameter(parameter, text, TIME);
  return {
    seconds: BigInt(Math.floor(millis / 1_000)),
    nanos: Number((parts?.[2] ?? '').padEnd(9, '0')),
  };
}
