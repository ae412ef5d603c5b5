import type { BatchId } from '@auditing/proto/event';

/**
 * Epochs remembered; the least recently marked is forgotten first. A gateway makes one each time it opens its
 * spool, so this is years of restarts of a few gateways.
 */
const EPOCHS_MAX = 1024;

/**
 * Ranges remembered in all epochs. A sender that settles keeps a handful; this bounds what one that never
 * settles can take. A snapshot of so many, with the longest numbers there are, still fits into the header of a
 * journal segment (1 MiB), escaped as text in JSON.
 */
const RANGES_MAX = 16_384;

const SNAPSHOT_VERSION = 1;

/** Events of a part, by their place in it: from `first`, up to but without `end` (Infinity: all that are left). */
export interface EventRange {
  readonly first: number;
  readonly end: number;
}

interface Epoch {
  /** Sequences below this one are settled: taken, or never to be sent again. */
  settledBelow: bigint;
  /** By `sequence/part`; the ranges of one part are sorted and do not touch. */
  readonly parts: Map<string, Part>;
}

interface Part {
  readonly sequence: bigint;
  readonly part: number;
  ranges: readonly EventRange[];
}

type SnapshotRange = readonly [sequence: string, part: number, first: number, end: number];
interface Snapshot {
  readonly version: number;
  readonly epochs: readonly (readonly [
    epoch: string,
    settledBelow: string,
    ranges: readonly SnapshotRange[],
  ])[];
}

const EVERYTHING: readonly EventRange[] = [{ first: 0, end: Infinity }];
const NOTHING: readonly EventRange[] = [];

/**
 * Which batches a receiver has taken, so that what is sent again is stored once. It holds nothing durable
 * itself: the receiver writes a snapshot now and then, and marks again what its log says of later batches.
 *
 * What falls out of the bounds is forgotten, which can double an event but never lose one.
 */
export class BatchMarks {
  /** The least recently marked first. */
  readonly #epochs = new Map<string, Epoch>();
  #rangeCount = 0;

  /** The events of this batch's part that were taken, ascending; all of them if the sequence is settled. */
  taken(id: BatchId): readonly EventRange[] {
    const epoch = this.#epochs.get(id.epoch);
    if (epoch === undefined) return NOTHING;
    if (id.sequence < epoch.settledBelow) return EVERYTHING;
    return epoch.parts.get(partKey(id))?.ranges ?? NOTHING;
  }

  /** True if the event at this place of the batch's part (not of the batch) was taken. */
  covers(id: BatchId, position: number): boolean {
    return this.taken(id).some((range) => position >= range.first && position < range.end);
  }

  /** True if all events that the batch speaks for were taken. */
  coversAll(id: BatchId): boolean {
    const wanted = rangeOf(id);
    return this.taken(id).some((range) => range.first <= wanted.first && range.end >= wanted.end);
  }

  /** Remembers the events that the batch speaks for as taken. */
  mark(id: BatchId): void {
    const epoch = this.#touch(id.epoch);
    if (id.sequence < epoch.settledBelow) return;
    const key = partKey(id);
    const part = epoch.parts.get(key) ?? { sequence: id.sequence, part: id.part, ranges: NOTHING };
    const ranges = merged(part.ranges, rangeOf(id));
    this.#rangeCount += ranges.length - part.ranges.length;
    part.ranges = ranges;
    epoch.parts.set(key, part);
    this.#forgetSurplus();
  }

  /** Sequences of this epoch below `below` will never be sent again: forgets their ranges. Never goes back. */
  settle(epochName: string, below: bigint): void {
    const epoch = this.#touch(epochName);
    if (below <= epoch.settledBelow) return;
    epoch.settledBelow = below;
    for (const [key, part] of epoch.parts) {
      if (part.sequence < below) this.#drop(epoch, key, part);
    }
  }

  /** All of it as bytes, at most 1 MiB. */
  snapshot(): Buffer {
    const snapshot: Snapshot = {
      version: SNAPSHOT_VERSION,
      epochs: [...this.#epochs].map(([name, epoch]) => [
        name,
        String(epoch.settledBelow),
        [...epoch.parts.values()].flatMap((part) =>
          part.ranges.map(({ first, end }): SnapshotRange => [
            String(part.sequence),
            part.part,
            first,
            end === Infinity ? -1 : end,
          ]),
        ),
      ]),
    };
    return Buffer.from(JSON.stringify(snapshot));
  }

  /** What `snapshot` gave. Throws if the bytes are no snapshot of a version known here. */
  static restore(snapshot: Uint8Array): BatchMarks {
    const { version, epochs } = JSON.parse(Buffer.from(snapshot).toString()) as Snapshot;
    if (version !== SNAPSHOT_VERSION) {
      throw new Error(
        `batch marks: expected version ${SNAPSHOT_VERSION}, got ${version}; a newer release wrote them`,
      );
    }
    const marks = new BatchMarks();
    for (const [epoch, settledBelow, ranges] of epochs) {
      marks.settle(epoch, BigInt(settledBelow));
      for (const [sequence, part, first, end] of ranges) {
        marks.mark({
          epoch,
          sequence: BigInt(sequence),
          part,
          firstEvent: first,
          eventCount: end === -1 ? 0 : end - first,
        });
      }
    }
    return marks;
  }

  /** The epoch, as the most recently marked one. */
  #touch(name: string): Epoch {
    const epoch = this.#epochs.get(name) ?? { settledBelow: 0n, parts: new Map<string, Part>() };
    this.#epochs.delete(name);
    this.#epochs.set(name, epoch);
    return epoch;
  }

  #drop(epoch: Epoch, key: string, part: Part): void {
    epoch.parts.delete(key);
    this.#rangeCount -= part.ranges.length;
  }

  /** Whole epochs first, then the oldest parts of the least recently marked epoch. */
  #forgetSurplus(): void {
    for (const [name, epoch] of this.#epochs) {
      if (this.#epochs.size <= EPOCHS_MAX && this.#rangeCount <= RANGES_MAX) return;
      for (const [key, part] of epoch.parts) {
        if (this.#epochs.size <= EPOCHS_MAX && this.#rangeCount <= RANGES_MAX) return;
        this.#drop(epoch, key, part);
      }
      if (this.#epochs.size > EPOCHS_MAX) this.#epochs.delete(name);
    }
  }
}

function partKey(id: BatchId): string {
  return `${String(id.sequence)}/${id.part}`;
}

function rangeOf(id: BatchId): EventRange {
  return {
    first: id.firstEvent,
    end: id.eventCount === 0 ? Infinity : id.firstEvent + id.eventCount,
  };
}

function merged(ranges: readonly EventRange[], added: EventRange): readonly EventRange[] {
  let { first, end } = added;
  const apart: EventRange[] = [];
  for (const range of ranges) {
    if (range.end < first || range.first > end) {
      apart.push(range);
      continue;
    }
    first = Math.min(first, range.first);
    end = Math.max(end, range.end);
  }
  return [...apart, { first, end }].sort((a, b) => a.first - b.first);
}
