import { KEY_BYTES } from '@auditing/audit-event/event-key';
import type { AuditEvent } from '@auditing/proto/event';

import type { RecordReader, StoredRecord } from './record-reader';
import { locate } from './row-places';
import type { IndexedSegment } from './segment-index';

/** An event that is stored. */
export interface StoredEvent {
  readonly record: StoredRecord;
  /** Its place in the record. */
  readonly event: number;
}

/** The event of a segment that has the key at `offset` of `keys`; undefined without one. */
export async function storedEvent(
  segment: IndexedSegment,
  reader: RecordReader,
  { keys, offset }: { readonly keys: Buffer; readonly offset: number },
): Promise<StoredEvent | undefined> {
  for (const row of (await segment.keys()).candidates(keys, offset)) {
    const { position, event } = locate(await segment.records(), row);
    const record = await reader.read(position);
    const its = record?.kept.batch?.keys;
    const at = event * KEY_BYTES;
    if (
      record !== undefined &&
      its?.compare(keys, offset, offset + KEY_BYTES, at, at + KEY_BYTES) === 0
    )
      return { record, event };
  }
  return undefined;
}

/** The event with this key, typed, with its bytes; undefined if there is none. */
export async function eventByKey(
  segments: readonly IndexedSegment[],
  reader: RecordReader,
  key: Buffer,
): Promise<AuditEvent | undefined> {
  for (const segment of [...segments].reverse()) {
    const stored = await storedEvent(segment, reader, { keys: key, offset: 0 });
    if (stored !== undefined) return stored.record.cut(stored.event).typed(true);
  }
  return undefined;
}
