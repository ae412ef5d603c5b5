import type { Files, OpenFile } from './files';
import { FrameReader } from './frame-reader';
import type { Frame } from './frame-reader';
import { JournalCorruptError } from './journal-error';
import { placeInJournal, REWRITTEN, type JournalRecord } from './journal';
import { dataEnd, endOf, isRewritten, startOf } from './segment';
import type { OpenSegment } from './segment';

/** The segment that a position lies in; the oldest one for a position that was trimmed. */
export function segmentAt(
  segments: readonly OpenSegment[],
  position: number,
): OpenSegment | undefined {
  const place = placeInJournal(position);
  return segments.findLast((segment) => segment.start <= place) ?? segments[0];
}

/**
 * The position of a record of this segment, given one where reading may begin; undefined for one of records that are no
 * longer there, or not yet: the segment was rewritten, or was not.
 */
export function positionIn(segment: OpenSegment, position: number): number | undefined {
  if (placeInJournal(position) <= startOf(segment))
    return isRewritten(segment) ? segment.first : startOf(segment);
  return isRewritten(segment) === position >= REWRITTEN ? position : undefined;
}

/** What to throw for a record that is not whole: with the place where reading can go on. */
export async function corruptError(
  segment: OpenSegment,
  damage: Extract<Frame, { kind: 'damaged' }>,
  reader: FrameReader | undefined,
): Promise<JournalCorruptError> {
  const { position, reason } = damage;
  const later = await reader?.find(position + 1, dataEnd(segment));
  return new JournalCorruptError(
    `journal: ${segment.path} holds no whole record at ${position - segment.base} (position ${position}): ${reason}`,
    { position, next: later?.position ?? segment.end },
  );
}

/** What to throw where no record can be. */
export function noRecordAt(
  segments: readonly OpenSegment[],
  position: number,
): JournalCorruptError {
  const [oldest] = segments;
  const start = oldest ? startOf(oldest) : 0;
  const end = endOf(segments);
  const segment = segmentAt(segments, position);
  const isOfOthers = segment && positionIn(segment, position) === undefined;
  const next = isOfOthers ? segment.end : placeInJournal(position);
  return new JournalCorruptError(
    `journal: no record at ${position}: there are records from ${start} to ${end}`,
    { position, next: Math.min(Math.max(next, start), end) },
  );
}

function beyondEnd(position: number, end: number): JournalCorruptError {
  return new JournalCorruptError(
    `journal: position ${position} lies after the end ${end}: the journal was replaced, or lost records`,
    { position, next: end },
  );
}

/** Reads record after record, and keeps its place at the end until there is more. */
export class JournalWalk {
  readonly #segments: readonly OpenSegment[];
  readonly #files: Files;
  #position: number;
  #segment: OpenSegment | undefined;
  #file: OpenFile | undefined;
  #reader: FrameReader | undefined;

  constructor(segments: readonly OpenSegment[], files: Files, from: number) {
    this.#segments = segments;
    this.#files = files;
    this.#position = from;
  }

  /** The next record; undefined at the end of what is durable. */
  async next(): Promise<JournalRecord | undefined> {
    while (await this.#enterSegment()) {
      const segment = this.#segment;
      if (!segment) return undefined;
      const position = this.#position;
      const reason = 'the header of the file is damaged';
      const frame: Frame = (await this.#reader?.read(position, dataEnd(segment))) ?? {
        kind: 'damaged',
        position,
        reason,
      };
      if (frame.kind === 'damaged') throw await corruptError(segment, frame, this.#reader);
      this.#position = frame.next;
      return { position, next: frame.next, data: frame.data };
    }
    return undefined;
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = this.#reader = this.#segment = undefined;
  }

  /** Moves to the segment of the next record; false if there is no more record. */
  async #enterSegment(): Promise<boolean> {
    for (;;) {
      const current = this.#segment;
      if (current && this.#position < dataEnd(current)) return true;
      if (current && isRewritten(current)) this.#position = current.end;
      const end = endOf(this.#segments);
      if (placeInJournal(this.#position) > end) throw beyondEnd(this.#position, end);
      const segment = segmentAt(this.#segments, this.#position);
      if (this.#position === end || !segment) return false;
      const position = positionIn(segment, this.#position);
      if (position === undefined) throw noRecordAt(this.#segments, this.#position);
      // All before was trimmed, and the only segment has no record yet.
      if (position === end) return false;
      if (await this.#open(segment)) this.#position = position;
    }
  }

  async #open(segment: OpenSegment): Promise<boolean> {
    await this.close();
    try {
      this.#file = await this.#files.open(segment.path, 'read');
    } catch (error) {
      // Trimmed or rewritten since it was looked up: go on with what is there instead.
      if (!this.#segments.includes(segment)) return false;
      throw error;
    }
    this.#segment = segment;
    if (segment.salt)
      this.#reader = new FrameReader(this.#file, { start: segment.base, salt: segment.salt });
    return true;
  }
}
