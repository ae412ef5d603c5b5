import { status } from '@grpc/grpc-js';
import type { BatchMarks } from '@auditing/audit-event/batch-marks';
import { BlockError } from '@auditing/audit-event/block';
import { isRemembered } from '@auditing/audit-event/decoded-batch';
import { KEY_BYTES } from '@auditing/audit-event/event-key';
import { KeptBatch } from '@auditing/proto/archive';
import { Field, type EventBatch } from '@auditing/proto/event';
import { RpcError } from '@auditing/service/rpc-error';

import { keptSubset } from './kept-subset';
import type { KeyIndex } from './key-index';
import { storedRecord } from './record-reader';
import { ownTimeUs } from './segment-index';
import type { Segments } from './segments';

/** A batch on its way into the log. */
export interface Prepared {
  /** What is new in it; undefined if all of it was stored before. */
  readonly record: { readonly kept: KeptBatch; readonly data: Uint8Array } | undefined;
  readonly archivedCount: number;
  readonly duplicateCount: number;
}

/** What was stored before, and what is about to be. */
export interface Known {
  readonly marks: BatchMarks;
  readonly segments: Segments;
  /** Keys of the events that will be written together with this batch; new ones are added. */
  readonly pendingKeys: Set<string>;
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
  if (!isRemembered(batch)) await readable(kept);
  const fresh = await freshEvents(kept, batch, known);
  const archivedCount = fresh.length;
  const duplicateCount = batch.eventCount - archivedCount;
  if (archivedCount === 0) return { record: undefined, archivedCount, duplicateCount };
  const stored = duplicateCount === 0 ? kept : await keptSubset(await readable(kept), fresh);
  return {
    record: { kept: stored, data: KeptBatch.encode(stored).finish() },
    archivedCount,
    duplicateCount,
  };
}

async function readable(kept: KeptBatch): ReturnType<typeof storedRecord> {
  try {
    return await storedRecord(kept);
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
  const stored = await indexesAt(identified, known.segments);
  const fresh: number[] = [];
  for (let event = 0; event < batch.eventCount; event += 1) {
    const position = kept.positions[event] ?? 0;
    if (taken.some(({ first, end }) => position >= first && position < end)) continue;
    const timeUs = identified.get(event);
    if (timeUs !== undefined) {
      const offset = event * KEY_BYTES;
      const key = batch.keys.toString('latin1', offset, offset + KEY_BYTES);
      if (
        known.pendingKeys.has(key) ||
        stored.some((index) => index.find(batch.keys, offset) !== undefined)
      )
        continue;
      known.pendingKeys.add(key);
    }
    fresh.push(event);
  }
  return fresh;
}

/** The events that can be duplicates of others, with their own times: those with an audit id and a readable time. */
function eventsWithIdentity(kept: KeptBatch, batch: EventBatch): ReadonlyMap<number, number> {
  const ids = batch.columns.find(({ field }) => field === Field.AUDIT_ID);
  const identified = new Map<number, number>();
  if (ids === undefined) return identified;
  for (let event = 0; event < batch.eventCount; event += 1) {
    const id = ids.values[(ids.rows[event] ?? 0) - 1] ?? '';
    const timeUs = ownTimeUs(kept, event);
    if (id !== '' && timeUs !== 0) identified.set(event, timeUs);
  }
  return identified;
}

/** The keys of the segments that have events of the time of these. Mostly that is the current one alone. */
async function indexesAt(
  identified: ReadonlyMap<number, number>,
  segments: Segments,
): Promise<readonly KeyIndex[]> {
  let earliestUs = Infinity;
  let latestUs = -Infinity;
  for (const timeUs of identified.values()) {
    earliestUs = Math.min(earliestUs, timeUs);
    latestUs = Math.max(latestUs, timeUs);
  }
  const overlapping = (await segments.snapshot()).filter(
    ({ summary }) =>
      summary.rowCount > 0 && summary.minTimeUs <= latestUs && summary.maxTimeUs >= earliestUs,
  );
  return Promise.all(overlapping.reverse().map((segment) => segment.keys()));
}
