import { join } from 'node:path';

import type { Files } from '@auditing/journal/files';
import type { Journal } from '@auditing/journal/journal';

import { sidecarName, type SealedSegment } from './sealed-segment';
import type { Segments } from './segments';
import { writeAtomically } from './write-atomically';

const RECORD_NAME = 'retention.json';
const RECORD_VERSION = 1;

/** What is kept. Whole segments are removed, oldest first; the one that is written to always stays. */
export interface RetentionLimits {
  /** Segments whose last event the gateway received longer ago than this are removed. */
  readonly ageMs: number;
  /** Bytes of log and sidecars; beyond it the oldest segments are removed. */
  readonly bytes: number;
}

/** Written before anything is removed: with it the chain of hashes can be verified from the first segment that is left. */
export interface RetentionRecord {
  readonly version: number;
  /** Position of the first segment that is kept. */
  readonly firstKept: number;
  /** Hash of the last segment that was removed: what the first kept one names as the one before it. */
  readonly removedHash: string;
  /** RFC 3339. */
  readonly removedAt: string;
}

/** What was removed last; undefined if nothing was removed yet. */
export async function readRetentionRecord(
  files: Files,
  directory: string,
): Promise<RetentionRecord | undefined> {
  if (!(await files.list(directory)).includes(RECORD_NAME)) return undefined;
  const file = await files.open(join(directory, RECORD_NAME), 'read');
  try {
    const text = (await file.read(0, await file.size())).toString();
    return JSON.parse(text) as RetentionRecord;
  } finally {
    await file.close();
  }
}

/** What retention works on. */
export interface Retained {
  readonly journal: Journal;
  readonly segments: Segments;
  /** Folder of the record. */
  readonly directory: string;
}

/** Removes what is too old or too much. Returns the segments removed. */
export async function retain(
  { journal, segments, directory }: Retained,
  limits: RetentionLimits,
  nowMs: number,
): Promise<readonly SealedSegment[]> {
  const sealed = await segments.sealed();
  const removed = sealed.slice(0, surplus(sealed, limits, { nowMs, journal }));
  const last = removed.at(-1);
  if (last === undefined) return [];
  const record: RetentionRecord = {
    version: RECORD_VERSION,
    firstKept: last.place.end,
    removedHash: last.header.segmentHash,
    removedAt: new Date(nowMs).toISOString(),
  };
  const { files } = segments.store;
  await writeAtomically(files, join(directory, RECORD_NAME), [
    Buffer.from(`${JSON.stringify(record)}\n`),
  ]);
  segments.dropBefore(last.place.end);
  await journal.trim(last.place.end);
  for (const segment of removed) {
    segment.forget();
    await files
      .unlink(join(segments.store.directory, sidecarName(segment.start)))
      .catch(ignoreMissing);
  }
  return removed;
}

/** How many of the segments, from the oldest on, are to be removed. */
function surplus(
  sealed: readonly SealedSegment[],
  limits: RetentionLimits,
  { nowMs, journal }: { readonly nowMs: number; readonly journal: Journal },
): number {
  const oldestKeptUs = (nowMs - limits.ageMs) * 1000;
  const logBytes = new Map(journal.segments().map(({ start, bytes }) => [start, bytes]));
  let bytes = sealed.reduce((sum, segment) => sum + segment.bytes, journal.bytes);
  const kept = sealed.findIndex((segment) => {
    if (segment.summary.newestReceivedUs >= oldestKeptUs && bytes <= limits.bytes) return true;
    bytes -= segment.bytes + (logBytes.get(segment.start) ?? 0);
    return false;
  });
  return kept === -1 ? sealed.length : kept;
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
