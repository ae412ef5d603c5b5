import { status } from '@grpc/grpc-js';
import { RpcError } from '@auditing/service/rpc-error';

import { rowAt } from './row-places';
import type { IndexedSegment } from './segment-index';

/** A place between two events of the log. */
export interface LogPosition {
  /** Position of a segment's first byte; earlier releases told that of a record. */
  readonly position: number;
  /** Events of that segment, or record, that are before the place. */
  readonly eventCount: number;
}

const FORM = /^(\d{1,16})-(\d{1,9})$/;

/** The text of the place behind so many events of a segment: it holds whatever becomes of its records. */
export function writeResumeToken(
  segment: Pick<IndexedSegment, 'start'>,
  eventCount: number,
): string {
  return `${segment.start}-${eventCount}`;
}

/**
 * What a token says.
 *
 * @throws INVALID_ARGUMENT if no archive gave it, or another one did.
 */
export function readResumeToken(token: string, end: number): LogPosition {
  const match = FORM.exec(token);
  if (match === null) {
    throw new RpcError(
      status.INVALID_ARGUMENT,
      `resume_token: expected the resume_token of an event of a tail, or of Stats, got ${JSON.stringify(token.slice(0, 100))}`,
    );
  }
  const position = Number(match[1]);
  if (position > end) {
    throw new RpcError(
      status.INVALID_ARGUMENT,
      `resume_token: it lies at ${position}, but this archive ends at ${end}; it is of another archive, or of one that was ` +
        'lost: leave it out, and search for what was missed',
    );
  }
  return { position, eventCount: Number(match[2]) };
}

/** Where a listener has come to. */
export interface SeenRows {
  /** Position of the segment's first byte. */
  readonly segmentStart: number;
  /** Rows of it that are behind. */
  readonly rowCount: number;
}

/** The place in terms of rows. Where retention has removed it: before the oldest row that is left. */
export async function seenRows(
  segments: readonly IndexedSegment[],
  { position, eventCount }: LogPosition,
): Promise<SeenRows> {
  const segment = segments.findLast(({ start }) => start <= position);
  if (segment === undefined) return { segmentStart: -1, rowCount: 0 };
  const row = await rowAt(segment, { position, event: eventCount });
  return { segmentStart: segment.start, rowCount: Math.min(row, segment.summary.rowCount) };
}
