import { decompressBlock, sliceBlock } from '@auditing/audit-event/block';
import { decodeEvent } from '@auditing/audit-event/decoded-event';
import { KeptBatch, type Condition } from '@auditing/proto/archive';
import { Source } from '@auditing/proto/event';

import { compileCondition } from './compile-condition';

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
  /** Places of events in the record, ascending. */
  readonly events: readonly number[];
}

/** Those of the events that fit. Rejects with BlockError, or an error of protobuf, if the record is damaged. */
export async function fittingEvents(
  search: EventSearch,
  { data, events }: RecordToSearch,
): Promise<number[]> {
  const { batch } = KeptBatch.decode(data);
  const raw = batch?.block === undefined ? Buffer.alloc(0) : await decompressBlock(batch.block);
  const text = Buffer.from(search.text.buffer, search.text.byteOffset, search.text.length);
  if (search.wholeRecords && text.length > 0 && !raw.includes(text)) return [];
  const fits = eventTest(text, search.conditions);
  const slices = sliceBlock(raw, batch?.sliceBytes ?? []);
  return events.filter((event) => {
    const bytes = slices[event];
    return bytes !== undefined && fits(bytes);
  });
}

function eventTest(
  text: Buffer,
  conditions: EventSearch['conditions'],
): (bytes: Buffer) => boolean {
  const compiled = conditions.map(compileCondition);
  return (bytes) => {
    if (text.length > 0 && !bytes.includes(text)) return false;
    if (compiled.length === 0) return true;
    const uri = requestUriOf(bytes);
    return compiled.every(({ fits }) => fits(uri));
  };
}

/** RequestURI of an event; empty without one. */
export function requestUriOf(bytes: Buffer): string {
  const value = decodeEvent(bytes, Source.UNSPECIFIED).get('RequestURI');
  return typeof value === 'string' ? value : '';
}
