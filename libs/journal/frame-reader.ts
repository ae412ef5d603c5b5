import { crc32 } from 'node:zlib';
import type { OpenFile } from './files';
import { decodeFrameHeader, FRAME_HEADER_BYTES, FRAME_MAGIC } from './frame';
import type { Salt } from './frame';

/** One read when records are read in order: its cost is lost among the bytes, its memory is small. */
const CHUNK_BYTES = 1024 * 1024;

/** The first read for a single record: most are smaller, and little is read in vain. */
export const SINGLE_READ_BYTES = 128 * 1024;

/** What is at a position. */
export type Frame =
  | {
      readonly kind: 'whole';
      readonly position: number;
      readonly next: number;
      readonly groupStart: number;
      readonly data: Buffer;
    }
  | { readonly kind: 'damaged'; readonly position: number; readonly reason: string };

/** A record that is whole. */
export type WholeFrame = Extract<Frame, { kind: 'whole' }>;

/** Reads records of one segment file, in chunks. */
export class FrameReader {
  readonly #file: OpenFile;
  readonly #start: number;
  readonly #salt: Salt;
  readonly #chunkBytes: number;
  #chunk: Buffer = Buffer.alloc(0);
  #chunkAt = 0;

  constructor(
    file: OpenFile,
    segment: { readonly start: number; readonly salt: Salt },
    chunkBytes = CHUNK_BYTES,
  ) {
    this.#file = file;
    this.#start = segment.start;
    this.#salt = segment.salt;
    this.#chunkBytes = chunkBytes;
  }

  /** The record at a position. What lies at `limit` and after it does not count as there. */
  async read(position: number, limit: number): Promise<Frame> {
    const header = decodeFrameHeader(
      await this.#bytes(position, FRAME_HEADER_BYTES, limit),
      this.#salt,
      position,
    );
    if (!header) return { kind: 'damaged', position, reason: 'no record header' };
    const { length, groupStart, payloadCrc } = header;
    const data = await this.#bytes(position + FRAME_HEADER_BYTES, length, limit);
    if (data.length < length)
      return { kind: 'damaged', position, reason: `${data.length} of ${length} bytes` };
    if (crc32(data) !== payloadCrc)
      return { kind: 'damaged', position, reason: `checksum of ${length} bytes differs` };
    const next = position + FRAME_HEADER_BYTES + length;
    return { kind: 'whole', position, next, groupStart, data };
  }

  /** The first whole record at `from` or after it, before `limit`. */
  async find(from: number, limit: number): Promise<WholeFrame | undefined> {
    let position = from;
    while (position + FRAME_HEADER_BYTES <= limit) {
      const chunk = await this.#bytes(position, CHUNK_BYTES, limit);
      if (chunk.length < FRAME_HEADER_BYTES) return undefined;
      for (const at of this.#headersIn(chunk, position)) {
        const frame = await this.read(position + at, limit);
        if (frame.kind === 'whole') return frame;
      }
      position += chunk.length - FRAME_HEADER_BYTES + 1;
    }
    return undefined;
  }

  *#headersIn(chunk: Buffer, position: number): Generator<number> {
    const last = chunk.length - FRAME_HEADER_BYTES;
    let at = chunk.indexOf(FRAME_MAGIC);
    while (at >= 0 && at <= last) {
      if (decodeFrameHeader(chunk.subarray(at), this.#salt, position + at)) yield at;
      at = chunk.indexOf(FRAME_MAGIC, at + 1);
    }
  }

  /** Up to `length` bytes from `position`: fewer if the file or `limit` ends before. */
  async #bytes(position: number, length: number, limit: number): Promise<Buffer> {
    const wanted = Math.max(0, Math.min(length, limit - position));
    const at = position - this.#chunkAt;
    if (at < 0 || at + wanted > this.#chunk.length) {
      const size = Math.min(Math.max(wanted, this.#chunkBytes), Math.max(0, limit - position));
      this.#chunk = await this.#file.read(position - this.#start, size);
      this.#chunkAt = position;
      return this.#chunk.subarray(0, wanted);
    }
    return this.#chunk.subarray(at, at + wanted);
  }
}
