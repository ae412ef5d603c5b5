import { BatchMarks } from '@auditing/audit-event/batch-marks';
import type { Files } from '@auditing/journal/files';
import { KEY_BYTES } from '@auditing/audit-event/event-key';
import type { Journal, JournalRecord, Segment } from '@auditing/journal/journal';
import { openJournal } from '@auditing/journal/open-journal';
import { KeptBatch } from '@auditing/proto/archive';

import { wholeRecord, type WholeRecord } from './log-record';
import { readSegment } from './rebuild';
import { readSavedIndex, type SavedIndex, type SidecarFolder } from './saved-index';
import { readHead, SegmentChain, type SegmentHash } from './segment-chain';
import { SegmentIndex } from './segment-index';
import { batchHeads, toldHashes } from './split-batches';
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
  /** How many of its rows were saved. */
  readonly savedRowCount: number;
}

/** Where the log is, and who is told of damage. */
export interface LogPlace {
  readonly directory: string;
  readonly files: Files;
  /** Where the index of the last segment may have been saved. */
  readonly sidecars: SidecarFolder;
  readonly onDamage: (error: unknown) => void;
  /** Told of a saved index that is damaged: it is made anew. */
  readonly onStaleIndex: (details: { readonly segment: number; readonly err: unknown }) => void;
  readonly onRepair: (repair: {
    readonly path: string;
    readonly position: number;
    readonly cutBytes: number;
  }) => void;
}

/**
 * Opens the log, reading only its last segment: that gives index, hash and batch marks. What was saved of its index is not
 * made again.
 */
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
    return { journal, chain, ...(await readLast(journal, { ...marks, chain }, place)) };
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
  place: LogPlace,
): Promise<Pick<RecoveredLog, 'marks' | 'current' | 'index' | 'savedRowCount'>> {
  let last: ReadSegment | undefined;
  for (const segment of unmarked) {
    const into = { journal, segment, chain, marks, onDamage: place.onDamage };
    const saved = segment === unmarked.at(-1) ? await savedOf(segment, place) : undefined;
    last = (saved && (await readRest(into, saved, place))) ?? (await readWhole(into));
  }
  const nothing = {
    index: new SegmentIndex(journal.start),
    current: undefined,
    savedRowCount: 0,
  };
  return { marks, ...(last ?? nothing) };
}

async function savedOf(
  { start }: Segment,
  { sidecars, onStaleIndex }: LogPlace,
): Promise<SavedIndex | undefined> {
  try {
    return await readSavedIndex(sidecars, start);
  } catch (err) {
    onStaleIndex({ segment: start, err });
    return undefined;
  }
}

interface Reading {
  readonly journal: Journal;
  readonly segment: Segment;
  readonly chain: SegmentChain;
  readonly marks: BatchMarks;
  readonly onDamage: (error: unknown) => void;
}

interface ReadSegment {
  readonly index: SegmentIndex;
  readonly current: CurrentSegment;
  readonly savedRowCount: number;
}

async function readWhole(reading: Reading): Promise<ReadSegment> {
  const index = new SegmentIndex(reading.segment.start);
  const hash = await readInto(reading, {
    decode: ({ data }) => wholeRecord(data, reading.segment.isRewritten),
    onRecord: ({ position }, kept) => index.add(position, kept),
  });
  return { index, current: { segment: reading.segment, hash }, savedRowCount: 0 };
}

/**
 * Reads what the saved index lacks: of the records in it the keys, those behind it as a whole. Undefined if the log is not
 * what the index was made from, which is told: it may have been changed.
 */
async function readRest(
  reading: Reading,
  { index, end, hash: savedHash }: SavedIndex,
  { onStaleIndex }: LogPlace,
): Promise<ReadSegment | undefined> {
  const savedRowCount = index.rowCount;
  const found = { fits: false };
  const damage: unknown[] = [];
  const quietly = { ...reading, onDamage: (error: unknown) => void damage.push(error) };
  const hash = await readInto(quietly, {
    decode: async ({ position, data }) =>
      position < end
        ? { kept: KeptBatch.decode(data), slices: undefined }
        : await wholeRecord(data, reading.segment.isRewritten),
    onRecord({ position, next }, kept, soFar) {
      if (position < end) index.addKeys(kept);
      else if (found.fits) index.add(position, kept);
      if (next === end) found.fits = soFar.hex() === savedHash;
    },
  });
  const { segment, onDamage } = reading;
  if (!found.fits || index.keys.keys().length !== index.rowCount * KEY_BYTES) {
    const message = `the log up to ${end} is not what the index was made from: its hash is not ${savedHash}`;
    onStaleIndex({ segment: segment.start, err: new Error(message) });
    return undefined;
  }
  // Otherwise it is met again, and told, when all is read.
  for (const error of damage) onDamage(error);
  return { index, current: { segment, hash }, savedRowCount };
}

interface IntoIndex {
  readonly decode: (record: JournalRecord) => Promise<WholeRecord>;
  readonly onRecord: (record: JournalRecord, kept: KeptBatch, hash: SegmentHash) => void;
}

async function readInto(
  { journal, segment, chain, marks, onDamage }: Reading,
  { decode, onRecord }: IntoIndex,
): Promise<SegmentHash> {
  const hash = chain.resume(segment);
  await readSegment(journal, segment, {
    decode,
    onDamage,
    onRecord(record, whole) {
      for (const one of toldHashes(whole)) hash.add(one);
      for (const { id } of batchHeads(whole.kept)) if (id !== undefined) marks.mark(id);
      onRecord(record, whole.kept, hash);
    },
  });
  return hash;
}
