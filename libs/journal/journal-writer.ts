import type { Files } from './files';
import { encodeFrames } from './frame';
import type { Frames } from './frame';
import { JournalFailedError, JournalFullError } from './journal-error';
import type { AppendedAt, JournalOptions } from './journal';
import {
  checkedHead,
  createSegment,
  endOf,
  hasRecords,
  isWritable,
  publicSegment,
  segmentOverhead,
} from './segment';
import type { OpenSegment, WritableSegment } from './segment';

/** What waits longest for a group is its fsync: this many bytes take a disk about as long. */
const GROUP_MAX_BYTES = 32 * 1024 * 1024;

/** The segment being written to cannot be trimmed: it must stay a small part of what the journal may hold. */
const SEGMENTS_IN_MAX_BYTES = 8;

/** How a journal is written. */
export type WriterOptions = Required<
  Pick<JournalOptions, 'directory' | 'segmentBytes' | 'maxBytes' | 'segmentHead'>
> & { readonly files: Files };

interface Append {
  readonly kind: 'append';
  readonly records: readonly Uint8Array[];
  readonly bytes: number;
  readonly resolve: (at: AppendedAt) => void;
  readonly reject: (error: Error) => void;
}

interface Roll {
  readonly kind: 'roll';
  readonly resolve: () => void;
}

/** Writes groups of appends, one group at a time, to the last of `segments`, which it alone makes longer. */
export class JournalWriter {
  readonly #segments: OpenSegment[];
  readonly #options: WriterOptions;
  readonly #onDurable: () => void;
  readonly #segmentBytes: number;
  readonly #queue: (Append | Roll)[] = [];
  #running: Promise<void> | undefined;

  constructor(segments: OpenSegment[], options: WriterOptions, onDurable: () => void) {
    this.#segments = segments;
    this.#options = options;
    this.#onDurable = onDurable;
    this.#segmentBytes = Math.min(options.segmentBytes, options.maxBytes / SEGMENTS_IN_MAX_BYTES);
  }

  /** Bytes of all segment files. */
  get bytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.fileBytes, 0);
  }

  append(records: readonly Uint8Array[], bytes: number): Promise<AppendedAt> {
    return new Promise((resolve, reject) => {
      this.#enqueue({ kind: 'append', records, bytes, resolve, reject });
    });
  }

  roll(): Promise<void> {
    return new Promise((resolve) => {
      this.#enqueue({ kind: 'roll', resolve });
    });
  }

  /** Writes what waits, then ends. */
  async close(): Promise<void> {
    await this.#running;
    const last = this.#segments.at(-1);
    if (last) await end(last);
  }

  #enqueue(waiting: Append | Roll): void {
    this.#queue.push(waiting);
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    // What is appended in the same turn goes into one group.
    await Promise.resolve();
    for (let first = this.#queue[0]; first; first = this.#queue[0]) {
      if (first.kind === 'append') {
        await this.#commit(this.#takeGroup());
        continue;
      }
      this.#queue.shift();
      const last = this.#segments.at(-1);
      if (last && hasRecords(last)) await end(last);
      first.resolve();
    }
    this.#running = undefined;
  }

  #takeGroup(): Append[] {
    const group: Append[] = [];
    let bytes = 0;
    for (let next = this.#queue[0]; next?.kind === 'append'; next = this.#queue[0]) {
      bytes += next.bytes;
      if (group.length > 0 && bytes > GROUP_MAX_BYTES) break;
      group.push(next);
      this.#queue.shift();
    }
    return group;
  }

  async #commit(group: readonly Append[]): Promise<void> {
    try {
      const segment = await this.#segmentToWrite();
      const fitting = this.#refuseWithoutRoom(group);
      if (fitting.length === 0) return;
      const records = fitting.flatMap((append) => append.records);
      const frames = encodeFrames(records, segment.salt, segment.end);
      await write(segment, frames);
      segment.end = frames.end;
      segment.fileBytes = segment.end - segment.start;
      acknowledge(fitting, frames);
      this.#onDurable();
    } catch (error) {
      const failure = this.#failure(error);
      for (const append of group) append.reject(failure);
    }
  }

  /** The last segment, or a new one if that is ended or has reached its size. */
  async #segmentToWrite(): Promise<WritableSegment> {
    const { files, directory, segmentHead, maxBytes } = this.#options;
    const last = this.#segments.at(-1);
    if (last && last.end - last.start >= this.#segmentBytes && hasRecords(last)) await end(last);
    if (last && isWritable(last)) return last;

    // An ended segment without records is replaced, under the same name.
    const isReplaced = last !== undefined && !hasRecords(last);
    const previous = isReplaced ? this.#segments.at(-2) : last;
    const head = checkedHead(segmentHead(previous && publicSegment(previous)));
    if (this.bytes + segmentOverhead(head) > maxBytes) throw this.#noRoom(segmentOverhead(head));
    const segment = await createSegment(files, directory, { start: endOf(this.#segments), head });
    if (isReplaced) this.#segments.pop();
    this.#segments.push(segment);
    return segment;
  }

  #refuseWithoutRoom(group: readonly Append[]): Append[] {
    let bytes = this.bytes;
    return group.filter((append) => {
      const fits = bytes + append.bytes <= this.#options.maxBytes;
      if (fits) bytes += append.bytes;
      else append.reject(this.#noRoom(append.bytes));
      return fits;
    });
  }

  #noRoom(wanted: number): JournalFullError {
    const { directory, maxBytes } = this.#options;
    return new JournalFullError(
      `journal: ${wanted} bytes do not fit into ${directory}: ${this.bytes} of ${maxBytes} bytes are used`,
    );
  }

  #failure(error: unknown): Error {
    if (error instanceof JournalFullError) return error;
    if (isDiskFull(error))
      return new JournalFullError(`journal: the disk of ${this.#options.directory} is full`, {
        cause: error,
      });
    return new JournalFailedError(`journal: writing to ${this.#options.directory} failed`, {
      cause: error,
    });
  }
}

/**
 * Writes, durably. After a failed sync the kernel may take pages for clean that it never wrote, so that a second
 * sync would prove nothing: the segment is ended. A full disk alone is no reason to end it: what did not fit is cut off.
 */
async function write(segment: WritableSegment, frames: Frames): Promise<void> {
  const { file } = segment;
  try {
    await file.write(segment.end - segment.start, frames.chunks);
  } catch (error) {
    const isTakenBack = await takeBack(segment, frames.end);
    if (!isTakenBack || !isDiskFull(error)) await end(segment);
    throw error;
  }
}

/** Cuts off what was not acknowledged. Where that fails it stays: the start of the next segment hides it. */
async function takeBack(segment: WritableSegment, writtenEnd: number): Promise<boolean> {
  try {
    await segment.file.truncate(segment.end - segment.start);
    return true;
  } catch {
    segment.fileBytes = writtenEnd - segment.start;
    return false;
  }
}

async function end(segment: OpenSegment): Promise<void> {
  const { file } = segment;
  segment.file = undefined;
  // What was acknowledged is synced; closing adds nothing that could be lost.
  await file?.close().catch(() => undefined);
}

function acknowledge(group: readonly Append[], frames: Frames): void {
  let index = 0;
  for (const { records, resolve } of group) {
    const positions = frames.positions.slice(index, index + records.length);
    index += records.length;
    resolve({ positions, end: frames.positions[index] ?? frames.end });
  }
}

function isDiskFull(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'ENOSPC' || code === 'EDQUOT';
}
