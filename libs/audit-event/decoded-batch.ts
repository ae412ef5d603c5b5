import type { EventBatch, Source } from '@auditing/proto/event';
import { BlockError, decompressBlock, sliceBounds } from './block';
import { scannedEvent } from './decode-body';
import { type DecodedEvent, decodeEvent } from './decoded-event';
import { EventScanner } from './event-scanner';
import { EventTable } from './event-table';
import { inTurn, type Pace } from './pace';

/**
 * Where a batch has its events. Not enumerable, so that it stays a plain message: copies and encoders do not see it. A WeakMap
 * would do, but its values outlive their batches until the next collection is over: each one moved all events about.
 */
const DECODED = Symbol('decoded events');

interface Remembering {
  [DECODED]?: readonly DecodedEvent[] | undefined;
}

/**
 * Keeps the events of a batch beside it: services in the same process that are handed this very object do not parse
 * it again.
 */
export function rememberDecoded(batch: EventBatch, events: readonly DecodedEvent[]): void {
  remember(batch, events);
}

/** True if the events of a batch are remembered: then this process made its block of them, or has read it before. */
export function isRemembered(batch: EventBatch): boolean {
  return remembered(batch) !== undefined;
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
  const known = remembered(batch);
  if (known) return known;
  if (!batch.block)
    throw new BlockError('the batch carries no block, so its events cannot be read');
  const raw = await decompressBlock(batch.block);
  const bounds = sliceBounds(raw, batch.sliceBytes);
  const events = await inTurn({}, (pace) => readEvents({ raw, bounds }, listSource, pace));
  rememberDecoded(batch, events);
  return events;
}

/** By their bytes, as they were read when they came; what is unusual by JSON.parse. `bounds` is where each begins, and the end. */
async function readEvents(
  { raw, bounds }: { readonly raw: Buffer; readonly bounds: Uint32Array },
  listSource: Source,
  pace: Pace,
): Promise<readonly DecodedEvent[]> {
  const table = new EventTable();
  const scanner = new EventScanner(raw, table);
  const events: DecodedEvent[] = [];
  try {
    for (let at = 0; at + 1 < bounds.length; at += 1) {
      const start = bounds[at] ?? 0;
      const end = bounds[at + 1] ?? 0;
      const bytes = raw.subarray(start, end);
      if (scanner.scan(start) === end)
        events.push(scannedEvent(scanner, bytes, { table, listSource }));
      else {
        const event = decodeEvent(bytes, listSource);
        event.moveInto(table);
        events.push(event);
      }
      if (pace.isDue()) await pace.giveWay();
    }
  } finally {
    scanner.release();
  }
  return events;
}

/** Lets go of the events of a batch that is done with but still held. */
export function forgetDecoded(batch: EventBatch): void {
  remember(batch, undefined);
}

function remembered(batch: EventBatch & Remembering): readonly DecodedEvent[] | undefined {
  return batch[DECODED];
}

function remember(batch: EventBatch, events: Remembering[typeof DECODED]): void {
  Object.defineProperty(batch, DECODED, { value: events, configurable: true });
}
