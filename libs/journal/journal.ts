import type { Files } from './files';

/**
 * An append-only log in a folder: checksummed records in segment files, one fsync for all appends that wait.
 *
 * A position is a number that only grows: the byte offset of a record since the journal began, headers
 * included; trimming does not change the positions of what is left. Segment files are named after the position
 * of their first byte.
 */
export interface Journal {
  /** Position of the oldest record that is still there; equals `end` when there is none. */
  readonly start: number;
  /** Position after the last durable record. */
  readonly end: number;
  /** Bytes on disk, headers included. */
  readonly bytes: number;
  /**
   * Writes records, in order, and resolves when all of them are on disk (data and, for a new file, its
   * directory entry). After a crash either a record is there whole or it is not there; records of one call
   * may be there in part, from the first on.
   *
   * Rejects with JournalFullError when `maxBytes` would be passed or the disk is full, with
   * JournalFailedError when writing or fsync failed. Either way nothing of this call counts as written, and
   * later calls go on: in a new segment after a failure. A record that was written whole may still be there when
   * the journal is opened the next time. The records must not be changed until this settles.
   *
   * Rejects with RangeError if the records of one call come to more than 512 MiB.
   */
  append(records: readonly Uint8Array[]): Promise<AppendedAt>;
  /**
   * The durable records from `from` on, in order; ends at what is durable when it gets there. What was trimmed is
   * left out. Throws JournalCorruptError at a record that is not whole, or when `from` lies after the end; its
   * `next` is where a new read can go on. Throws the reason of `signal` when it aborts.
   */
  read(from: number, signal?: AbortSignal): AsyncIterable<JournalRecord>;
  /** As read, but waits for more at the end, until `signal` aborts (then it ends without error). */
  follow(from: number, signal: AbortSignal): AsyncIterable<JournalRecord>;
  /** One record. Rejects with JournalCorruptError if there is none whole at this position. */
  readAt(position: number): Promise<JournalRecord>;
  /**
   * Reads single records one after the other, as readAt, without opening the file for each: for records that lie near each
   * other. `aheadBytes` are read at once, at least the record. It holds a file open until it is closed.
   */
  reader(aheadBytes: number): SingleReader;
  /** Removes whole segments that lie before `position`. The last segment always stays. */
  trim(position: number): Promise<void>;
  /**
   * Ends the segment being written to; the next append begins a new one. Nothing happens if it has no record. If
   * the journal is closed before that append, it goes on with the old segment when it is opened again.
   */
  roll(): Promise<void>;
  /**
   * Writes the records of an ended segment anew, once: `records` must say the same in fewer bytes. The segment keeps `start`,
   * `end` and head; its records get positions that no record had before, from REWRITTEN on. After a crash either the old
   * records are there or the new ones, all of them, and so it is for whoever reads meanwhile.
   *
   * Resolves to undefined, and nothing has changed, if they take no fewer bytes, or the segment is gone or was rewritten
   * before. Rejects if the disk is full or fails, or with what `records` threw; nothing has changed then either.
   */
  rewrite(start: number, records: AsyncIterable<Uint8Array>): Promise<RewrittenAt | undefined>;
  /** All segments, oldest first, as they are now; only the last can be one that is being written to. */
  segments(): readonly Segment[];
  /**
   * Waits for appends under way and closes the files. Followers end, other calls reject with JournalFailedError. A
   * second call does nothing.
   */
  close(): Promise<void>;
}

/** Reads single records, one at a time. */
export interface SingleReader {
  /** As Journal.readAt. */
  readAt(position: number): Promise<JournalRecord>;
  close(): Promise<void>;
}

/** Where records were written. */
export interface AppendedAt {
  /** Position of each record, in order. */
  readonly positions: readonly number[];
  /** Position after the last one. */
  readonly end: number;
}

/** Where the records of a segment are since it was rewritten. */
export interface RewrittenAt {
  /** Position of each record, in order. */
  readonly positions: readonly number[];
}

/**
 * Records of rewritten segments have positions from here on: REWRITTEN + the position of the segment + the place in the file.
 * So a position says which of the two it speaks of. No journal grows to so many bytes.
 */
export const REWRITTEN = 2 ** 52;

/** Where in the journal a position lies, be the segment rewritten or not. */
export function placeInJournal(position: number): number {
  return position < REWRITTEN ? position : position - REWRITTEN;
}

/** One record. */
export interface JournalRecord {
  readonly position: number;
  /** Position of the record that follows. */
  readonly next: number;
  /** Often a part of a larger buffer: copy what is kept for long. */
  readonly data: Buffer;
}

/** One segment file. */
export interface Segment {
  /** Position of its first byte. */
  readonly start: number;
  /** Position after its last durable record, as it was written first: the next segment begins there. */
  readonly end: number;
  /** Size of the file. */
  readonly bytes: number;
  /** True once its records were written anew. */
  readonly isRewritten: boolean;
  /** Path of the file. */
  readonly path: string;
  /** What `segmentHead` gave when it was begun; empty without one. */
  readonly head: Buffer;
  /** True once nothing is written to it any more. */
  readonly sealed: boolean;
}

/** How a journal is opened. */
export interface JournalOptions {
  /** Folder of the segment files; made if it is not there. */
  readonly directory: string;
  /** File operations; the real ones unless a test gives others. */
  readonly files?: Files;
  /** A segment that reaches this size is ended. Default 64 MiB. */
  readonly segmentBytes?: number;
  /** Appends beyond this many bytes on disk are refused. Default: none. */
  readonly maxBytes?: number;
  /**
   * Gives bytes to be kept, checksummed, in the header of each new segment (at most 1 MiB): what a reader needs to
   * know before its records. `previous` is the segment before; absent for the first.
   */
  readonly segmentHead?: (previous: Segment | undefined) => Uint8Array;
  /** Called when opening found a torn or damaged tail and cut it off: how many bytes, and where. */
  readonly onRepair?: (repair: {
    readonly path: string;
    readonly position: number;
    readonly cutBytes: number;
  }) => void;
}
