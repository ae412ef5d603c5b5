import type { Source } from '@auditing/proto/event';
import { BodyReader, type CutBy } from './body-reader';
import { type DecodedEvent, decodeEvent } from './decoded-event';
import { EventTable } from './event-table';
import { type BadItem, BodyError, badItem, checkAnyGood, checkCount } from './split-body';
import { type Pace, startPace } from './pace';

/** Settings of decodeBody. */
export interface DecodeOptions {
  /** Longest time without giving way to the event loop, in milliseconds. Default 5. */
  readonly yieldEveryMs?: number;
  /** Ends the work: decodeBody rejects with its reason. */
  readonly signal?: AbortSignal;
}

/** A body, read. */
export interface DecodedBody {
  /** The events, in order. */
  readonly events: DecodedEvent[];
  /** What is no event, among them items that are not valid JSON. */
  readonly badItems: BadItem[];
  /** As in SplitBody. */
  readonly listSource: Source;
}

/**
 * Splits a body as splitBody does and parses every event, giving way to the event loop every few milliseconds.
 *
 * Every event of the answer is proven to be one valid JSON object, request and response objects included, though
 * those of large events are not built before somebody asks for them.
 *
 * Rejects with BodyError when no event can be read from the body.
 */
export async function decodeBody(body: Buffer, options: DecodeOptions = {}): Promise<DecodedBody> {
  const pace = startPace(options);
  try {
    const decoded = await decodeCutBy('marker', body, pace);
    if (decoded.badItems.length === 0) return decoded;
  } catch (error) {
    if (!(error instanceof BodyError)) throw error;
  }
  // Either the body is damaged or the marker misled: only the scanner knows which.
  return decodeCutBy('scanner', body, pace);
}

async function decodeCutBy(cutBy: CutBy, body: Buffer, pace: Pace): Promise<DecodedBody> {
  const reader = new BodyReader(body, cutBy);
  const table = new EventTable();
  const events: DecodedEvent[] = [];
  const badItems: BadItem[] = [];
  for (const item of reader.items()) {
    const bytes = body.subarray(item.start, item.end);
    const decoded = item.reason ?? tryDecode(bytes, reader.listSource);
    if (typeof decoded !== 'string') {
      decoded.moveInto(table);
      events.push(decoded);
    } else if (cutBy === 'scanner') badItems.push(badItem(item, bytes, decoded));
    else throw new BodyError(decoded, item.at());
    checkCount(events.length + badItems.length);
    if (pace.isDue()) await pace.giveWay();
  }
  checkAnyGood(events.length, badItems);
  return { events, badItems, listSource: reader.listSource };
}

/** The event, or why it is none. */
function tryDecode(bytes: Buffer, listSource: Source): DecodedEvent | string {
  try {
    return decodeEvent(bytes, listSource);
  } catch (error) {
    if (error instanceof SyntaxError) return `not valid JSON: ${error.message}`;
    throw error;
  }
}
