import type { Files, OpenFile } from './files';
import { FrameReader } from './frame-reader';
import type { JournalRecord, SingleReader } from './journal';
import { JournalCorruptError } from './journal-error';
import { corruptError, segmentAt } from './journal-walk';
import { endOf, startOf } from './segment';
import type { OpenSegment } from './segment';

/** Reads single records; the file of the last one stays open for the next. */
export class JournalReader implements SingleReader {
  readonly #segments: readonly OpenSegment[];
  readonly #files: Files;
  readonly #aheadBytes: number;
  #open:
    { readonly path: string; readonly file: OpenFile; readonly reader: FrameReader } | undefined;

  constructor(segments: readonly OpenSegment[], files: Files, aheadBytes: number) {
    this.#segments = segments;
    this.#files = files;
    this.#aheadBytes = aheadBytes;
  }

  async readAt(position: number): Promise<JournalRecord> {
    const segment = segmentAt(this.#segments, position);
    if (!segment || position < segment.start || position >= segment.end)
      throw this.#noRecordAt(position);
    const at = Math.max(position, segment.first);
    const reader = await this.#readerOf(segment, at);
    const frame = await reader.read(at, segment.end);
    if (frame.kind === 'damaged') throw await corruptError(segment, frame, reader);
    return { position: at, next: frame.next, data: frame.data };
  }

  async close(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    await open?.file.close();
  }

  async #readerOf(segment: OpenSegment, at: number): Promise<FrameReader> {
    const { path, start, salt } = segment;
    if (this.#open?.path === path) return this.#open.reader;
    const damaged = { kind: 'damaged', position: at, reason: 'damaged header' } as const;
    if (!salt) throw await corruptError(segment, damaged, undefined);
    await this.close();
    const file = await this.#files.open(path, 'read');
    const reader = new FrameReader(file, { start, salt }, this.#aheadBytes);
    this.#open = { path, file, reader };
    return reader;
  }

  #noRecordAt(position: number): JournalCorruptError {
    const [oldest] = this.#segments;
    const start = oldest ? startOf(oldest) : 0;
    const end = endOf(this.#segments);
    return new JournalCorruptError(
      `journal: no record at ${position}: there are records from ${start} to ${end}`,
      { position, next: Math.min(Math.max(position, start), end) },
    );
  }
}
