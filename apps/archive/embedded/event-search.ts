import { BlockError, decompressBlock, sliceBounds } from '@auditing/audit-event/block';
import { decodeEvent } from '@auditing/audit-event/decoded-event';
import { KeptBatch, type Condition } from '@auditing/proto/archive';
import { Source } from '@auditing/proto/event';

import { compileCondition } from './compile-condition';
import { blockOf } from './record-block';
import { Needle } from './text-needle';

/** What is asked of the bytes of events: what no column answers. Plain data, for it goes to other threads. */
export interface EventSearch {
  /** Bytes that must occur in the event; empty: any. */
  readonly text: Uint8Array;
  /** Conditions on the request URI; all must fit. */
  readonly conditions: readonly Condition[];
  /** True: one look at all events of a record tells first whether the text is in any. It costs a fraction of a look at each. */
  readonly wholeRecords: boolean;
}

/** A record of the log, and which of its events are asked for. */
export interface RecordToSearch {
  readonly data: Uint8Array;
  /** Places of events in the record, ascending; undefined: all, which need not be told one by one. */
  readonly events: readonly number[] | undefined;
}

/** A record cannot be read. Any other error of a search is a fault of ours and no damage. */
export class DamagedRecordError extends Error {
  override readonly name = 'DamagedRecordError';
}

/** Those of the events that fit. Rejects with DamagedRecordError if the record is damaged. */
export async function fittingEvents(
  search: EventSearch,
  { data, events }: RecordToSearch,
): Promise<number[]> {
  const record = Buffer.from(data.buffer, data.byteOffset, data.length);
  const { buffer, byteOffset, length } = search.text;
  const text = new Needle(Buffer.from(buffer, byteOffset, length));
  const raw = await rawOf(record);
  const isSearchedWhole = search.wholeRecords && text.length > 0;
  const first = isSearchedWhole ? text.firstIn(raw) : 0;
  if (first === -1) return [];
  const bounds = boundsOf(record, raw);
  const bytesOf = (event: number): Buffer => raw.subarray(bounds[event], bounds[event + 1]);
  const asked = events ?? Array.from({ length: bounds.length - 1 }, (_, event) => event);
  const fitting = isSearchedWhole
    ? among(asked, eventsWith(text, { raw, bounds, first }))
    : asked.filter((event) => text.length === 0 || text.firstIn(bytesOf(event)) !== -1);
  const conditions = search.conditions.map(compileCondition);
  if (conditions.length === 0) return fitting;
  return fitting.filter((event) => {
    const uri = requestUriOf(bytesOf(event));
    return conditions.every(({ fits }) => fits(uri));
  });
}

async function rawOf(record: Buffer): Promise<Buffer> {
  const block = blockOf(record) ?? decoded(record)?.block;
  if (block === undefined) return Buffer.alloc(0);
  try {
    return await decompressBlock(block);
  } catch (cause) {
    if (!(cause instanceof BlockError)) throw cause;
    throw new DamagedRecordError(cause.message, { cause });
  }
}

function boundsOf(record: Buffer, raw: Buffer): Uint32Array {
  const sliceBytes = decoded(record)?.sliceBytes ?? [];
  try {
    return sliceBounds(raw, sliceBytes);
  } catch (cause) {
    throw new DamagedRecordError(String(cause), { cause });
  }
}

function decoded(record: Buffer): KeptBatch['batch'] {
  try {
    return KeptBatch.decode(record).batch;
  } catch (cause) {
    throw new DamagedRecordError(String(cause), { cause });
  }
}

interface Block {
  readonly raw: Buffer;
  readonly bounds: Uint32Array;
  /** Where the text is first. */
  readonly first: number;
}

/** The events that hold a text, found by few looks at all of them together. */
function eventsWith(text: Needle, { raw, bounds, first }: Block): number[] {
  const found: number[] = [];
  let event = 0;
  for (let at = first; at !== -1;) {
    while ((bounds[event + 1] ?? Infinity) <= at) event += 1;
    const end = bounds[event + 1] ?? raw.length;
    // Else it begins in one event and ends in the next, as does all that begins behind it in the same one.
    if (at + text.length <= end) found.push(event);
    at = text.firstIn(raw, end);
  }
  return found;
}

/** What both lists have; both ascend. */
function among(asked: readonly number[], found: readonly number[]): number[] {
  const wanted = new Set(asked);
  return found.filter((event) => wanted.has(event));
}

/** RequestURI of an event; empty without one, and of bytes that are no event. */
export function requestUriOf(bytes: Buffer): string {
  try {
    const value = decodeEvent(bytes, Source.UNSPECIFIED).get('RequestURI');
    return typeof value === 'string' ? value : '';
  } catch (error) {
    if (error instanceof SyntaxError) return '';
    throw error;
  }
}
