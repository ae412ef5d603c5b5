import type { Journal, Segment } from '@auditing/journal/journal';
import { JournalCorruptError } from '@auditing/journal/journal-error';
import { SpooledPart } from '@auditing/proto/spool';

/** Bodies older than this are not looked for at start: their senders have given them up long since. */
const RECENT_MS = 15 * 60_000;

const HEAD_BYTES = 8;

/** What the spool held of a body when it was opened. */
export interface SpooledBody {
  readonly bodyHash: Buffer;
  /** How many of its events, from the first on. */
  readonly eventCount: number;
  /** True if those are all. */
  readonly whole: boolean;
}

/** What is written at the head of a segment: when it was begun. */
export function headOf(nowMs: number): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeDoubleLE(nowMs);
  return head;
}

/**
 * Tells of the bodies that came lately, oldest first, when a spool is opened. A damaged record is passed over: whoever
 * drains the spool reports it.
 */
export async function tellRecent(
  journal: Journal,
  nowMs: number,
  tell: (body: SpooledBody) => void,
): Promise<void> {
  let position = firstRecent(journal.segments(), nowMs - RECENT_MS) ?? journal.start;
  while (position < journal.end) {
    try {
      for await (const { data } of journal.read(position)) tell(bodyOf(SpooledPart.decode(data)));
      return;
    } catch (error) {
      if (!(error instanceof JournalCorruptError)) throw error;
      position = error.next;
    }
  }
}

/** Start of the last segment that was begun before `sinceMs`: what came since lies in it and after it. */
function firstRecent(segments: readonly Segment[], sinceMs: number): number | undefined {
  return segments.findLast(
    ({ head }) => head.length === HEAD_BYTES && head.readDoubleLE() < sinceMs,
  )?.start;
}

function bodyOf({ batch, bodyHash, eventsBefore, bodyEnd }: SpooledPart): SpooledBody {
  return { bodyHash, eventCount: eventsBefore + (batch?.eventCount ?? 0), whole: bodyEnd };
}
