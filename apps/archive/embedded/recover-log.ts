import { BatchMarks } from '@auditing/audit-event/batch-marks';
import type { Files } from '@auditing/journal/files';
import type { Journal, Segment } from '@auditing/journal/journal';
import { openJournal } from '@auditing/journal/open-journal';

import { wholeBatch } from './log-record';
import { readSegment } from './rebuild';
import { readHead, SegmentChain } from './segment-chain';
import { SegmentIndex } from './segment-index';
import type { CurrentSegment } from './writer';

/** The log as it was left, and what is derived from its last segment. */
export interface RecoveredLog {
  readonly journal: Journal;
  readonly chain: SegmentChain;
  readonly marks: BatchMarks;
  /** The last segment, which is written on; undefined in a new archive. */
  readonly current: CurrentSegment | undefined;
  /** Its index. */
  readonly index: SegmentIndex;
}

/** Where the log is, and who is told of damage. */
export interface LogPlace {
  readonly directory: string;
  readonly files: Files;
  readonly onDamage: (error: unknown) => void;
  readonly onRepair: (repair: {
    readonly path: string;
    readonly position: number;
    readonly cutBytes: number;
  }) => void;
}

/** Opens the log, reading only its last segment: that gives index, hash and batch marks. */
export async function recoverLog(place: LogPlace): Promise<RecoveredLog> {
  let chain: SegmentChain | undefined;
  const journal = await openJournal({
    directory: place.directory,
    files: place.files,
    // The writer ends segments: between two writes, when the hash of all that was written is known.
    segmentBytes: Number.MAX_SAFE_INTEGER,
    segmentHead(previous) {
      if (chain === undefined)
        throw new Error('archive log: a segment was begun before the log was recovered');
      return chain.begin(previous);
    },
    onRepair: place.onRepair,
  });
  try {
    const segments = journal.segments();
    const marks = restoredMarks(segments);
    chain = new SegmentChain(marks.marks);
    return { journal, chain, ...(await readLast(journal, { ...marks, chain }, place.onDamage)) };
  } catch (error) {
    await journal.close();
    throw error;
  }
}

interface RestoredMarks {
  readonly marks: BatchMarks;
  /** The segments whose records are to be marked: the last one, unless the head of that is damaged. */
  readonly unmarked: readonly Segment[];
}

/** @throws Error if a newer release wrote the log. */
function restoredMarks(segments: readonly Segment[]): RestoredMarks {
  const last = segments.findLastIndex(({ head }) => head.length > 0);
  const head = segments[last]?.head;
  if (head === undefined) return { marks: new BatchMarks(), unmarked: segments };
  return {
    marks: BatchMarks.restore(Buffer.from(readHead(head).marks)),
    unmarked: segments.slice(last),
  };
}

async function readLast(
  journal: Journal,
  { marks, unmarked, chain }: RestoredMarks & { readonly chain: SegmentChain },
  onDamage: (error: unknown) => void,
): Promise<Pick<RecoveredLog, 'marks' | 'current' | 'index'>> {
  let index = new SegmentIndex(journal.start);
  let current: CurrentSegment | undefined;
  for (const segment of unmarked) {
    const hash = chain.resume(segment);
    const segmentIndex = new SegmentIndex(segment.start);
    await readSegment(journal, segment, {
      decode: ({ data }) => wholeBatch(data),
      onDamage,
      onRecord({ position, data }, kept) {
        hash.add(data);
        segmentIndex.add(position, kept);
        if (kept.batch?.id !== undefined) marks.mark(kept.batch.id);
      },
    });
    index = segmentIndex;
    current = { segment, hash };
  }
  return { marks, index, current };
}
