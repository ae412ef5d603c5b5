import type { KeptBatch } from '@auditing/proto/archive';

/**
 * The time by which an event is found: RequestReceivedTimestamp; where it lacks that, StageTimestamp, else the time of
 * receipt, so that it has a place in order and histogram.
 */
export function eventTimeUs(kept: KeptBatch, event: number): number {
  return ownTimeUs(kept, event) || (kept.batch?.receivedAtUs ?? 0);
}

/** RequestReceivedTimestamp, else StageTimestamp; 0 if the event has neither. */
export function ownTimeUs({ batch }: KeptBatch, event: number): number {
  return batch?.requestReceivedUs[event] || batch?.stageUs[event] || 0;
}
