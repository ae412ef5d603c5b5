import { compressBlock } from '@auditing/audit-event/block';
import { placeInJournal, type Journal } from '@auditing/journal/journal';

import { joinBatches, kindOf, type LoggedBatch } from './join-batches';
import { encodeRecord, wholeRecord } from './log-record';
import { Pace } from './pace';
import type { SegmentPlace } from './sealed-segment';
import type { SegmentIndex } from './segment-index';
import { hashOf, splitBatches } from './split-batches';

/** A segment with so many events a record, or more, is left as it is: what there is to gain is a tenth. */
const JOIN_BELOW_EVENTS = 100;

/** A joined record holds at most so many events or bytes of events: as much as a part of a large body (gateway). */
const RECORD_EVENTS = 400;
const RECORD_BYTES = 2 ** 20;

/** Where segments are joined, and who is told. */
export interface Joining {
  readonly journal: Pick<Journal, 'read' | 'rewrite'>;
  /** Ends the work. */
  readonly signal: AbortSignal;
  readonly onJoined: () => void;
  readonly onFailure: (error: unknown) => void;
}

/**
 * Joins the small batches of a segment that has ended and is not sealed yet, if there are many: its records are written
 * anew, and the index then knows where. Resolves to whether it was done: where it fails, the segment stays as it was.
 * Rejects if the signal aborts: the segment is not to be sealed as it is, for it can be joined later.
 *
 * The hash of the segment is made of what its batches say (content-hash.ts), not of how they lie on disk: it stays the
 * same, and so do the head of the next segment, which is written to meanwhile, and checkpoints that were published.
 */
export async function joinSegment(
  { journal, signal, onJoined, onFailure }: Joining,
  place: SegmentPlace,
  index: SegmentIndex,
): Promise<boolean> {
  const recordCount = index.records().positions.length;
  if (recordCount < 2 || index.rowCount / recordCount >= JOIN_BELOW_EVENTS) return false;
  try {
    const source = new JoinedRecords(journal, place, new Pace(Infinity, signal));
    const rewritten = await journal.rewrite(place.start, source.records(index.rowCount));
    if (rewritten === undefined) return false;
    index.relocate({
      positions: Float64Array.from(rewritten.positions),
      firstRows: Float64Array.from(source.firstRows),
    });
    onJoined();
    return true;
  } catch (error) {
    if (signal.aborted)
      throw new Error('the archive is being closed: small batches are joined at the next start', {
        cause: error,
      });
    onFailure(error);
    return false;
  }
}

type Read = LoggedBatch & {
  readonly data: Uint8Array;
  readonly hash: Buffer;
  readonly kind: string;
};

/** The records of a segment, joined: one group of them, and the record after it, is in memory. */
class JoinedRecords {
  /** First row of each record that was given. */
  readonly firstRows: number[] = [];
  readonly #journal: Pick<Journal, 'read'>;
  readonly #place: SegmentPlace;
  readonly #pace: Pace;
  #rowCount = 0;

  constructor(journal: Pick<Journal, 'read'>, place: SegmentPlace, pace: Pace) {
    this.#journal = journal;
    this.#place = place;
    this.#pace = pace;
  }

  /** Throws if a record cannot be read, or there are not so many events: what is damaged stays for others to look at. */
  async *records(rowCount: number): AsyncIterable<Uint8Array> {
    let group: Read[] = [];
    let size = { events: 0, bytes: 0 };
    for await (const read of this.#read()) {
      const { eventCount, block } = read.kept.batch;
      const events = size.events + eventCount;
      const bytes = size.bytes + (block?.rawBytes ?? 0);
      const isFull = events > RECORD_EVENTS || bytes > RECORD_BYTES;
      if (group.length > 0 && (isFull || group[0]?.kind !== read.kind)) {
        yield* this.#joined(group);
        group = [];
        size = { events: eventCount, bytes: block?.rawBytes ?? 0 };
      } else size = { events, bytes };
      group.push(read);
    }
    yield* this.#joined(group);
    if (this.#rowCount !== rowCount)
      throw new Error(
        `archive log: the segment at ${this.#place.start} has ${this.#rowCount} events, its index ${rowCount}`,
      );
  }

  async *#read(): AsyncIterable<Read> {
    for await (const { position, next, data } of this.#journal.read(this.#place.start)) {
      if (placeInJournal(position) >= this.#place.end) return;
      await this.#pace.breathe();
      const { kept, slices = [] } = await wholeRecord(data, true);
      const { batch, contentHash } = kept;
      if (batch === undefined || kept.joined !== undefined)
        throw new Error(`archive log: the record at ${position} is not one batch`);
      const logged = { kept: { ...kept, batch }, slices, logBytes: next - position };
      yield { ...logged, data, hash: contentHash, kind: kindOf(logged) };
    }
  }

  async *#joined(group: readonly Read[]): AsyncIterable<Uint8Array> {
    const joined = group.length > 1 ? await joinedRecord(group, this.#pace) : undefined;
    if (joined !== undefined) {
      this.firstRows.push(this.#rowCount);
      yield joined;
    }
    for (const { kept, data } of group) {
      if (joined === undefined) {
        this.firstRows.push(this.#rowCount);
        yield data;
      }
      this.#rowCount += kept.batch.eventCount;
    }
  }
}

/**
 * The record of joined batches. Undefined if it would not be smaller, or would not give back every batch as it was: that is
 * tried, for nothing is evidence any more that was lost here.
 */
async function joinedRecord(group: readonly Read[], pace: Pace): Promise<Uint8Array | undefined> {
  const slices = group.flatMap((one) => one.slices);
  const kept = await joinBatches(group, pace).catch(noFailure);
  if (kept?.batch === undefined) return undefined;
  const block = await compressBlock([...slices]);
  await pace.breathe();
  const { data } = await encodeRecord({ ...kept, batch: { ...kept.batch, block } }, slices);
  if (data.length >= group.reduce((sum, one) => sum + one.data.length, 0)) return undefined;
  await pace.breathe();
  const again = await wholeRecord(Buffer.from(data), true);
  if (slices.length !== again.slices?.length) return undefined;
  let count = 0;
  for (const one of splitBatches(again.kept, again.slices, 0)) {
    await pace.breathe();
    if (group[count]?.hash.equals(hashOf(one)) !== true) return undefined;
    count += 1;
  }
  if (count !== group.length) return undefined;
  // Of events that were not stripped only the keys are in the hash.
  return slices.every((slice, at) => again.slices?.[at]?.equals(slice)) ? data : undefined;
}

/** A batch that cannot be joined is no failure: it stays as it is. */
function noFailure(error: unknown): undefined {
  if (!(error instanceof RangeError)) throw error;
}
