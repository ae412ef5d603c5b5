import type { Files } from './files';
import { APPEND_MAX_BYTES, FRAME_HEADER_BYTES } from './frame';
import { SINGLE_READ_BYTES } from './frame-reader';
import type {
  AppendedAt,
  Journal,
  JournalRecord,
  RewrittenAt,
  Segment,
  SingleReader,
} from './journal';
import { JournalFailedError } from './journal-error';
import { JournalReader } from './journal-reader';
import { JournalWalk } from './journal-walk';
import { JournalWriter } from './journal-writer';
import type { WriterOptions } from './journal-writer';
import { discard, putInPlace, writeAnew } from './rewrite';
import { endOf, isRewritten, publicSegment, segmentPath, startOf } from './segment';
import type { OpenSegment } from './segment';

/** The journal over segments that openJournal found. */
export class LogJournal implements Journal {
  readonly #segments: OpenSegment[];
  readonly #options: WriterOptions;
  readonly #writer: JournalWriter;
  readonly #followers = new Set<() => void>();
  #trimming: Promise<void> = Promise.resolve();
  /** A name was removed, but may be there again after a crash. */
  #isRemovalUnsynced = false;
  #closing: Promise<void> | undefined;

  constructor(segments: OpenSegment[], options: WriterOptions) {
    this.#segments = segments;
    this.#options = options;
    this.#writer = new JournalWriter(segments, options, () => this.#wakeFollowers());
  }

  get start(): number {
    const oldest = this.#segments[0];
    return oldest ? startOf(oldest) : 0;
  }

  get end(): number {
    return endOf(this.#segments);
  }

  get bytes(): number {
    return this.#writer.bytes;
  }

  async append(records: readonly Uint8Array[]): Promise<AppendedAt> {
    this.#refuseWhenClosed();
    if (records.length === 0) return { positions: [], end: this.end };
    const bytes = records.reduce((sum, { length }) => sum + FRAME_HEADER_BYTES + length, 0);
    if (bytes > APPEND_MAX_BYTES)
      throw new RangeError(
        `journal: an append takes at most ${APPEND_MAX_BYTES} bytes, got ${bytes}`,
      );
    return this.#writer.append(records, bytes);
  }

  async *read(from: number, signal?: AbortSignal): AsyncGenerator<JournalRecord, void> {
    const walk = new JournalWalk(this.#segments, this.#options.files, from);
    try {
      for (;;) {
        signal?.throwIfAborted();
        this.#refuseWhenClosed();
        const record = await walk.next();
        if (!record) return;
        yield record;
      }
    } finally {
      await walk.close();
    }
  }

  async *follow(from: number, signal: AbortSignal): AsyncGenerator<JournalRecord, void> {
    const walk = new JournalWalk(this.#segments, this.#options.files, from);
    try {
      while (!signal.aborted && !this.#closing) {
        const end = this.end;
        const record = await walk.next();
        if (record) yield record;
        else if (end === this.end) await this.#growth(signal);
      }
    } finally {
      await walk.close();
    }
  }

  async readAt(position: number): Promise<JournalRecord> {
    const reader = this.reader(SINGLE_READ_BYTES);
    try {
      return await reader.readAt(position);
    } finally {
      await reader.close();
    }
  }

  reader(aheadBytes: number): SingleReader {
    this.#refuseWhenClosed();
    return new JournalReader(this.#segments, this.#options.files, aheadBytes);
  }

  async trim(position: number): Promise<void> {
    this.#refuseWhenClosed();
    const trimmed = this.#trimming.then(() => this.#trim(position));
    this.#trimming = trimmed.catch(() => undefined);
    return trimmed;
  }

  async roll(): Promise<void> {
    this.#refuseWhenClosed();
    return this.#writer.roll();
  }

  async rewrite(
    start: number,
    records: AsyncIterable<Uint8Array>,
  ): Promise<RewrittenAt | undefined> {
    this.#refuseWhenClosed();
    const { files, directory } = this.#options;
    const segment = this.#segments.find((one) => one.start === start);
    if (!segment || segment.file || !segment.salt || isRewritten(segment)) return undefined;
    const written = await writeAnew({ files, directory }, segment, records);
    if (written === undefined) return undefined;
    // Not while names are removed: what was trimmed must not come back.
    const swapped = this.#trimming.then(() => this.#swap(segment, written.segment));
    this.#trimming = swapped.then(
      () => undefined,
      () => undefined,
    );
    return (await swapped) ? { positions: written.positions } : undefined;
  }

  segments(): readonly Segment[] {
    return this.#segments.map(publicSegment);
  }

  close(): Promise<void> {
    this.#closing ??= Promise.all([this.#writer.close(), this.#trimming]).then(() => undefined);
    this.#wakeFollowers();
    return this.#closing;
  }

  /** False if the segment was trimmed meanwhile. */
  async #swap(old: OpenSegment, rewritten: OpenSegment): Promise<boolean> {
    const { files, directory } = this.#options;
    if (!this.#segments.includes(old) || this.#closing) {
      await discard(files, rewritten);
      return false;
    }
    await putInPlace(files, directory, rewritten);
    // Before the file goes: whoever looks for it then looks for the new one instead.
    this.#segments[this.#segments.indexOf(old)] = rewritten;
    // If it stays, it is removed when the journal is opened, or with the segment.
    await files.unlink(old.path).catch(() => undefined);
    await files.syncDirectory(directory).catch(() => undefined);
    return true;
  }

  /** One name after the other, each synced: after a crash, too, what is left is without a gap. */
  async #trim(position: number): Promise<void> {
    for (;;) {
      await this.#syncRemoval();
      const [oldest, second] = this.#segments;
      if (!oldest || !second || oldest.end > position) return;
      await this.#remove(oldest);
    }
  }

  async #remove(oldest: OpenSegment): Promise<void> {
    const { files, directory } = this.#options;
    // Before the file goes: whoever looks for it then looks for the next one instead.
    this.#segments.shift();
    try {
      // What was there before it was rewritten, if that could not be removed then: it would pass for the segment.
      if (isRewritten(oldest)) await unlinkIfThere(files, segmentPath(directory, oldest.start));
      await files.unlink(oldest.path);
      this.#isRemovalUnsynced = true;
    } catch (error) {
      this.#segments.unshift(oldest);
      throw new JournalFailedError(`journal: ${oldest.path} cannot be removed`, { cause: error });
    }
  }

  /** Also what an earlier trim could not sync: a later name must not go for good before it. */
  async #syncRemoval(): Promise<void> {
    if (!this.#isRemovalUnsynced) return;
    const { files, directory } = this.#options;
    await files.syncDirectory(directory).catch((error: unknown) => {
      throw new JournalFailedError(
        `journal: what was trimmed from ${directory} is not off the disk`,
        {
          cause: error,
        },
      );
    });
    this.#isRemovalUnsynced = false;
  }

  /** Resolves when there may be more to read, or no reason to wait for it. */
  #growth(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#followers.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      if (signal.aborted || this.#closing) {
        resolve();
        return;
      }
      this.#followers.add(wake);
      signal.addEventListener('abort', wake);
    });
  }

  #wakeFollowers(): void {
    for (const wake of this.#followers) wake();
  }

  #refuseWhenClosed(): void {
    if (this.#closing)
      throw new JournalFailedError(`journal: ${this.#options.directory} is closed`);
  }
}

async function unlinkIfThere(files: Files, path: string): Promise<void> {
  await files.unlink(path).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  });
}
