import type { Files, OpenFile } from './files';
import { FrameReader } from './frame-reader';
import { placeInJournal, REWRITTEN, type JournalRecord, type SingleReader } from './journal';
import { corruptError, noRecordAt, positionIn, segmentAt } from './journal-walk';
import { dataEnd, isRewritten } from './segment';
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
    if (!segment || placeInJournal(position) < segment.start)
      throw noRecordAt(this.#segments, position);
    // Where the first record was is where reading may begin, but it is another record that is there.
    if (isRewritten(segment) && position < REWRITTEN) throw noRecordAt(this.#segments, position);
    const at = positionIn(segment, position);
    if (at === undefined || at >= dataEnd(segment)) throw noRecordAt(this.#segments, position);
    const reader = await this.#readerOf(segment, at);
    const frame = await reader.read(at, dataEnd(segment));
    if (frame.kind === 'damaged') throw await corruptError(segment, frame, reader);
    return { position: at, next: frame.next, data: frame.data };
  }

  async close(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    await open?.file.close();
  }

  async #readerOf(segment: OpenSegment, at: number): Promise<FrameReader> {
    const { path, base, salt } = segment;
    if (this.#open?.path === path) return this.#open.reader;
    const damaged = { kind: 'damaged', position: at, reason: 'damaged header' } as const;
    if (!salt) throw await corruptError(segment, damaged, undefined);
    await this.close();
    const file = await this.#files.open(path, 'read');
    const reader = new FrameReader(file, { start: base, salt }, this.#aheadBytes);
    this.#open = { path, file, reader };
    return reader;
  }
}
