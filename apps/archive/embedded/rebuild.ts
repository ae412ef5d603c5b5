import { JournalCorruptError } from '@auditing/journal/journal-error';
import {
  placeInJournal,
  type Journal,
  type JournalRecord,
  type Segment,
} from '@auditing/journal/journal';

import { inOrder } from './in-order';
import { wholeBatch } from './log-record';
import { readHead } from './segment-chain';
import { SegmentIndex } from './segment-index';
import type { RebuiltIndex, SegmentPlace } from './sealed-segment';

/** Records that are expanded (in threads of the runtime) while others are indexed. */
const DECODED_AT_ONCE = 4;

/** What reading a segment found. */
interface SegmentRecords<Found> {
  /** Called with each whole record, in order. */
  readonly onRecord: (record: JournalRecord, found: Found) => void;
  /** Called where records cannot be read; reading goes on behind the damage. */
  readonly onDamage: (error: unknown, position: number) => void;
}

/** Reads all records of a segment, passing over damaged ones. */
export async function readSegment<Found>(
  journal: Pick<Journal, 'read'>,
  place: Pick<SegmentPlace, 'start' | 'end'>,
  {
    decode,
    onRecord,
    onDamage,
  }: SegmentRecords<Found> & { readonly decode: (record: JournalRecord) => Promise<Found> },
): Promise<void> {
  let from = place.start;
  while (placeInJournal(from) < place.end) {
    try {
      const decoded = inOrder(
        upTo(journal.read(from), place.end),
        DECODED_AT_ONCE,
        async (record) => ({
          record,
          found: await decode(record).catch((error: unknown) => {
            onDamage(error, record.position);
            return undefined;
          }),
        }),
      );
      for await (const { record, found } of decoded) {
        if (found !== undefined) onRecord(record, found);
      }
      return;
    } catch (error) {
      if (!(error instanceof JournalCorruptError)) throw error;
      onDamage(error, error.position);
      from = error.next;
    }
  }
}

async function* upTo(
  records: AsyncIterable<JournalRecord>,
  end: number,
): AsyncIterable<JournalRecord> {
  for await (const record of records) {
    if (placeInJournal(record.position) >= end) return;
    yield record;
  }
}

/** Makes the index of a segment from its records. */
export async function rebuildIndex(
  journal: Pick<Journal, 'read' | 'segments'>,
  place: SegmentPlace,
  onDamage: (error: unknown) => void,
): Promise<RebuiltIndex> {
  const index = new SegmentIndex(place.start);
  let damagedCount = 0;
  await readSegment(journal, place, {
    decode: ({ data }) => wholeBatch(data),
    onRecord: ({ position }, kept) => index.add(position, kept),
    onDamage(error) {
      damagedCount += 1;
      onDamage(error);
    },
  });
  const segmentHash = hashNamedAfter(place, journal.segments());
  const { end, isRewritten } = place;
  const state = { isSealed: true, isRewritten };
  return { index, origin: { segmentEnd: end, segmentHash, damagedCount, ...state } };
}

/** The hash of a segment, as the head of the next one names it; empty if that is damaged. */
function hashNamedAfter({ end }: SegmentPlace, segments: readonly Segment[]): string {
  const head = segments.find(({ start }) => start === end)?.head;
  return head === undefined || head.length === 0 ? '' : readHead(head).previousHash;
}
