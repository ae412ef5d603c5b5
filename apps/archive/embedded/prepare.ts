import { status } from '@grpc/grpc-js';
import type { BatchMarks } from '@auditing/audit-event/batch-marks';
import { BlockError } from '@auditing/audit-event/block';
import { decodedEvents, isRemembered } from '@auditing/audit-event/decoded-batch';
import { KEY_BYTES } from '@auditing/audit-event/event-key';
import type { KeptBatch } from '@auditing/proto/archive';
import { Field, Source, type EventBatch } from '@auditing/proto/event';
import { RpcError } from '@auditing/service/rpc-error';

import { ownTimeUs } from '../event-time';
import { keptSubset } from './kept-subset';
import type { KeyIndex } from './key-index';
import { encodeRecord, type LogRecord } from './log-record';
import { storedRecord, type RecordReader } from './record-reader';
import type { SegmentKeys } from './sealed-keys';
import type { IndexedSegment } from './segment-index';
import type { Segments } from './segments';
import { storedEvent } from './stored-keys';

/** A batch on its way into the log. */
export interface Prepared {
  /** What is new in it; undefined if all of it was stored before. */
  readonly record: (LogRecord & { readonly kept: KeptBatch }) | undefined;
  readonly archivedCount: number;
  readonly duplicateCount: number;
}

/** What was stored before, and what is about to be. */
export interface Known {
  readonly marks: BatchMarks;
  readonly segments: Segments;
  readonly reader: RecordReader;
  /** Keys of the events that will be written together with this batch; new ones are added. */
  readonly pendingKeys: KeyIndex;
}

/**
 * Leaves out of a batch what was stored before: events of a batch id that was taken, and events whose key is stored
 * already, looked for at the event's own time.
 *
 * @throws INVALID_ARGUMENT if the block cannot be read: what cannot be read back must not be acknowledged.
 */
export async function prepare(kept: KeptBatch, known: Known): Promise<Prepared> {
  const batch = kept.batch;
  if (batch === undefined) return { record: undefined, archivedCount: 0, duplicateCount: 0 };
  // First: a batch that is refused must leave no pending keys, or another batch's events would pass for stored. The
  // gateway in this process has just made the block; to expand it again would tell nothing.
  const slices = await slicesOf(kept, batch);
  const fresh = await freshEvents(kept, batch, known);
  const archivedCount = fresh.length;
  const duplicateCount = batch.eventCount - archivedCount;
  if (archivedCount === 0) return { record: undefined, archivedCount, duplicateCount };
  const picked = fresh.map((event) => slices[event] ?? Buffer.alloc(0));
  const stored = duplicateCount === 0 ? kept : await keptSubset(kept, fresh, picked);
  return {
    record: { kept: stored, ...(await encodeRecord(stored, picked)) },
    archivedCount,
    duplicateCount,
  };
}

async function slicesOf(kept: KeptBatch, batch: EventBatch): Promise<readonly Buffer[]> {
  try {
    if (isRemembered(batch)) {
      return (await decodedEvents(batch, Source.UNSPECIFIED)).map(({ bytes }) => bytes);
    }
    return (await storedRecord(kept)).events;
  } catch (error) {
    if (!(error instanceof BlockError)) throw error;
    throw new RpcError(status.INVALID_ARGUMENT, `kept.batch.block: ${error.message}`, {
      cause: error,
    });
  }
}

async function freshEvents(kept: KeptBatch, batch: EventBatch, known: Known): Promise<number[]> {
  const taken = batch.id === undefined ? [] : known.marks.taken(batch.id);
  const identified = eventsWithIdentity(kept, batch);
  const isStoredAlready = await lookUpAt(identified, known);
  const fresh: number[] = [];
  for (let event = 0; event < batch.eventCount; event += 1) {
    const position = kept.positions[event] ?? 0;
    if (isTaken(taken, position)) continue;
    if (identified[event] !== 0) {
      const offset = event * KEY_BYTES;
      const stored = isStoredAlready(batch.keys, offset);
      // Nearly always known at once: a turn of the loop for each event would cost more than the look.
      if (typeof stored === 'boolean' ? stored : await stored) continue;
      if (!known.pendingKeys.addNew(batch.keys, offset)) continue;
    }
    fresh.push(event);
  }
  return fresh;
}

// Loops, here and in `hasCandidate`: a function made for each event to look with was a twentieth of what an event allocates.

function isTaken(
  taken: readonly { readonly first: number; readonly end: number }[],
  position: number,
): boolean {
  for (const { first, end } of taken) if (position >= first && position < end) return true;
  return false;
}

/**
 * The own times of the events that can be duplicates of others, those with an audit id and a readable time; 0 for all
 * other events.
 */
function eventsWithIdentity(kept: KeptBatch, batch: EventBatch): Float64Array {
  const ids = batch.columns.find(({ field }) => field === Field.AUDIT_ID);
  const identified = new Float64Array(batch.eventCount);
  if (ids === undefined) return identified;
  for (let event = 0; event < batch.eventCount; event += 1) {
    const id = ids.values[(ids.rows[event] ?? 0) - 1] ?? '';
    if (id !== '') identified[event] = ownTimeUs(kept, event);
  }
  return identified;
}

/** Tells of a key whether it is stored in a segment that has events of the time of these: mostly the current one alone. */
async function lookUpAt(
  identified: Float64Array,
  { segments, reader }: Known,
): Promise<(keys: Buffer, offset: number) => Promise<boolean> | boolean> {
  let earliestUs = Infinity;
  let latestUs = -Infinity;
  for (const timeUs of identified) {
    if (timeUs === 0) continue;
    earliestUs = Math.min(earliestUs, timeUs);
    latestUs = Math.max(latestUs, timeUs);
  }
  const overlapping = (await segments.snapshot())
    .filter(
      ({ summary }) =>
        summary.rowCount > 0 && summary.minTimeUs <= latestUs && summary.maxTimeUs >= earliestUs,
    )
    .reverse();
  const all = await Promise.all(
    overlapping.map(async (segment) => ({ segment, index: await segment.keys() })),
  );
  return (keys, offset) => {
    // Nearly none is a duplicate.
    if (!hasCandidate(all, keys, offset)) return false;
    const possible = all.filter(({ index }) => index.candidates(keys, offset).length > 0);
    if (possible.some(({ index }) => index.isExact)) return true;
    const inSealed = possible.map(({ segment }) => segment);
    return isStored(inSealed, reader, { keys, offset });
  };
}

function hasCandidate(
  all: readonly { readonly index: SegmentKeys }[],
  keys: Buffer,
  offset: number,
): boolean {
  for (const { index } of all) if (index.candidates(keys, offset).length > 0) return true;
  return false;
}

async function isStored(
  segments: readonly IndexedSegment[],
  reader: RecordReader,
  key: { readonly keys: Buffer; readonly offset: number },
): Promise<boolean> {
  for (const segment of segments) {
    // A record that cannot be read is no reason to drop an event: better twice than never.
    const stored = await storedEvent(segment, reader, key).catch(() => undefined);
    if (stored !== undefined) return true;
  }
  return false;
}
