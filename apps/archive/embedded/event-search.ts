import { BlockError, decompressBlock, sliceBounds } from '@auditing/audit-event/block';
import { decodeEvent } from '@auditing/audit-event/decoded-event';
import type { Condition } from '@auditing/proto/archive';
import { Source, type EventBatch } from '@auditing/proto/event';

import type { CompiledCondition } from './compile-condition';
import { batchIn, blockOf } from './record-block';
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
  record: RecordToSearch,
): Promise<number[]> {
  const test = await compileSearch(search);
  return test(record, await expandRecord(record));
}

/** The bytes of all events of a record, back to back. Rejects with DamagedRecordError. */
export async function expandRecord({ data }: RecordToSearch): Promise<Buffer> {
  const record = viewOf(data);
  const block = blockOf(record) ?? decoded(record)?.block;
  if (block === undefined) return Buffer.alloc(0);
  try {
    return await decompressBlock(block);
  } catch (cause) {
    if (!(cause instanceof BlockError)) throw cause;
    throw new DamagedRecordError(cause.message, { cause });
  }
}

/** Tells the events of a record that fit, by what `expandRecord` gave. Throws DamagedRecordError. */
export type RecordTest = (record: RecordToSearch, raw: Buffer) => number[];

/** Makes a search ready once for all its records. Nothing but the text is looked at in a record that does not hold it. */
export async function compileSearch(search: EventSearch): Promise<RecordTest> {
  const text = new Needle(viewOf(search.text));
  const conditions = await compiled(search.conditions);
  const isSearchedWhole = search.wholeRecords && text.length > 0;
  return ({ data, events }, raw) => {
    const first = isSearchedWhole ? text.firstIn(raw) : 0;
    if (first === -1) return [];
    const bounds = boundsOf(viewOf(data), raw);
    const bytesOf = (event: number): Buffer => raw.subarray(bounds[event], bounds[event + 1]);
    const asked = events ?? Array.from({ length: bounds.length - 1 }, (_, event) => event);
    const fitting = isSearchedWhole
      ? among(asked, eventsWith(text, { raw, bounds, first }))
      : asked.filter((event) => text.length === 0 || text.firstIn(bytesOf(event)) !== -1);
    if (conditions.length === 0) return fitting;
    return fitting.filter((event) => {
      const uri = requestUriOf(bytesOf(event));
      return conditions.every(({ fits }) => fits(uri));
    });
  };
}

/** Loaded if there are any: the module brings gRPC along, which a thread that looks for text needs not have in memory. */
async function compiled(conditions: readonly Condition[]): Promise<readonly CompiledCondition[]> {
  if (conditions.length === 0) return [];
  const { compileCondition } = await import('./compile-condition');
  return conditions.map(compileCondition);
}

function viewOf({ buffer, byteOffset, length }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, length);
}

function boundsOf(record: Buffer, raw: Buffer): Uint32Array {
  const sliceBytes = decoded(record)?.sliceBytes ?? [];
  try {
    return sliceBounds(raw, sliceBytes);
  } catch (cause) {
    throw new DamagedRecordError(String(cause), { cause });
  }
}

function decoded(record: Buffer): EventBatch | undefined {
  try {
    return batchIn(record);
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
