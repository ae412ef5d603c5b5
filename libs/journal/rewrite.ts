import { randomBytes } from 'node:crypto';
import type { Files, OpenFile } from './files';
import { encodeFrames } from './frame';
import { REWRITTEN } from './journal';
import { rewrittenPath, UNFINISHED } from './segment';
import type { OpenSegment } from './segment';
import { encodeSegmentHeader, segmentHeaderBytes } from './segment-header';

/** Written at once: more would only take memory. */
const WRITE_BYTES = 1024 * 1024;

/** A segment whose new records are on disk, but not yet under its name. */
export interface WrittenAnew {
  readonly segment: OpenSegment;
  /** Position of each record. */
  readonly positions: readonly number[];
}

/** Writes the records of a segment into a file beside it; undefined if they take no fewer bytes. */
export async function writeAnew(
  { files, directory }: { readonly files: Files; readonly directory: string },
  old: OpenSegment,
  records: AsyncIterable<Uint8Array>,
): Promise<WrittenAnew | undefined> {
  const { start, head, end } = old;
  const base = REWRITTEN + start;
  const header = { start: base, salt: randomBytes(8), head };
  const path = rewrittenPath(directory, old);
  const first = base + segmentHeaderBytes(header);
  const writer = new RecordWriter(header.salt, first);
  try {
    const file = await files.open(path + UNFINISHED, 'create');
    try {
      await file.write(0, [encodeSegmentHeader(header)]);
      for await (const record of records) {
        await writer.add(file, record, base);
        if (writer.end - base >= old.fileBytes) break;
      }
      await writer.flush(file, base);
      await file.sync();
    } finally {
      await file.close();
    }
    const fileBytes = writer.end - base;
    const segment = { start, base, path, head, first, salt: header.salt, end, fileBytes };
    const written = { segment: { ...segment, file: undefined }, positions: writer.positions };
    if (fileBytes < old.fileBytes) return written;
    await files.unlink(path + UNFINISHED);
    return undefined;
  } catch (error) {
    // Half a file must not keep a full disk full. If it cannot be removed now, it is when the journal is opened.
    await files.unlink(path + UNFINISHED).catch(() => undefined);
    throw error;
  }
}

/** Gives the file its name, which it has for sure when this resolves. If that fails, the old file counts, here and later. */
export async function putInPlace(
  files: Files,
  directory: string,
  { path }: OpenSegment,
): Promise<void> {
  try {
    await files.rename(path + UNFINISHED, path);
    await files.syncDirectory(directory);
  } catch (error) {
    await Promise.allSettled([files.unlink(path + UNFINISHED), files.unlink(path)]);
    throw error;
  }
}

/** Removes a file that is not wanted any more. */
export async function discard(files: Files, { path }: OpenSegment): Promise<void> {
  await files.unlink(path + UNFINISHED).catch(() => undefined);
}

/** Frames records, and writes many of them at once. */
class RecordWriter {
  readonly positions: number[] = [];
  readonly #salt: Buffer;
  #chunks: Uint8Array[] = [];
  #writtenTo: number;
  /** Position after the last record. */
  end: number;

  constructor(salt: Buffer, first: number) {
    this.#salt = salt;
    this.#writtenTo = first;
    this.end = first;
  }

  async add(file: OpenFile, record: Uint8Array, base: number): Promise<void> {
    const frames = encodeFrames([record], this.#salt, this.end);
    this.positions.push(this.end);
    this.#chunks.push(...frames.chunks);
    this.end = frames.end;
    if (this.end - this.#writtenTo >= WRITE_BYTES) await this.flush(file, base);
  }

  async flush(file: OpenFile, base: number): Promise<void> {
    await file.write(this.#writtenTo - base, this.#chunks);
    this.#writtenTo = this.end;
    this.#chunks = [];
  }
}
