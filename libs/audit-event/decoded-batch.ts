import type { EventBatch, Source } from '@auditing/proto/event';
import { BlockError, decompressBlock, sliceBlock } from './block';
import { type DecodedEvent, decodeEvent } from './decoded-event';
import { EventTable } from './event-table';
import { startPace } from './pace';

/** Beside the batches, so that they stay plain messages and their events die with them. */
const DECODED = new WeakMap<EventBatch, readonly DecodedEvent[]>();

/**
 * Keeps the events of a batch beside it: services in the same process that are handed this very object do not parse
 * it again.
 */
export function rememberDecoded(batch: EventBatch, events: readonly DecodedEvent[]): void {
  DECODED.set(batch, events);
}

/** True if the events of a batch are remembered: then this process made its block of them, or has read it before. */
export function isRemembered(batch: EventBatch): boolean {
  return DECODED.has(batch);
}

/**
 * The events of a batch, in order: remembered ones, else read out of its block and remembered.
 *
 * Rejects with BlockError when the batch has no block or a damaged one, and with SyntaxError when an event is not
 * JSON, which the gateway never sends.
 */
export async function decodedEvents(
  batch: EventBatch,
  listSource: Source,
): Promise<readonly DecodedEvent[]> {
  const remembered = DECODED.get(batch);
  if (remembered) return remembered;
  if (!batch.block)
    throw new BlockError('the batch carries no block, so its events cannot be read');
  const slices = sliceBlock(await decompressBlock(batch.block), batch.sliceBytes);
  const pace = startPace({});
  const table = new EventTable();
  const events: DecodedEvent[] = [];
  for (const slice of slices) {
    const event = decodeEvent(slice, listSource);
    event.moveInto(table);
    events.push(event);
    if (pace.isDue()) await pace.giveWay();
  }
  rememberDecoded(batch, events);
  return events;
}

/** Lets go of the events of a batch that is done with but still held. */
export function forgetDecoded(batch: EventBatch): void {
  DECODED.delete(batch);
}
