/** What is used of the native library. */
export interface Zstd {
  readonly compress: (data: Buffer, level: number) => Promise<Buffer>;
  readonly decompress: (data: Buffer) => Promise<Buffer>;
}

let loading: Promise<Zstd | undefined> | undefined;

/**
 * The native library; undefined where it has no build for this platform. Its main file drops the level, so its
 * bindings are used.
 */
export function loadZstd(): Promise<Zstd | undefined> {
  loading ??= import('@mongodb-js/zstd/bindings.js').catch(() => undefined);
  return loading;
}

const FRAME_MAGIC = 0xfd2fb528;
/** Largest content of one block of any frame, by the format (RFC 8878, 3.1.1.2.4). */
const BLOCK_MAX_BYTES = 128 * 1024;
const MAGIC_BYTES = 4;
const BLOCK_HEADER_BYTES = 3;
const CHECKSUM_BYTES = 4;
const RAW = 0;
const RLE = 1;
const COMPRESSED = 2;

/**
 * An upper bound of what a single zstd frame expands to, from the headers of its blocks, without expanding it; the
 * library has no such limit of its own. Undefined if this is not exactly one well-formed frame.
 */
export function zstdContentBound(frame: Buffer): number | undefined {
  const first = firstBlock(frame);
  if (first === undefined) return undefined;
  let bound = 0;
  let at = first.at;
  for (;;) {
    if (at + BLOCK_HEADER_BYTES > frame.length) return undefined;
    const header = frame.readUIntLE(at, BLOCK_HEADER_BYTES);
    const type = (header >> 1) & 3;
    const size = header >> 3;
    if (type > COMPRESSED || size > BLOCK_MAX_BYTES) return undefined;
    at += BLOCK_HEADER_BYTES + (type === RLE ? 1 : size);
    bound += type === RAW || type === RLE ? size : BLOCK_MAX_BYTES;
    if ((header & 1) === 1) break;
  }
  return at + first.checksumBytes === frame.length ? bound : undefined;
}

/** Reads the header of a frame (RFC 8878, 3.1.1.1). */
function firstBlock(frame: Buffer): { at: number; checksumBytes: number } | undefined {
  if (frame.length <= MAGIC_BYTES || frame.readUInt32LE(0) !== FRAME_MAGIC) return undefined;
  const descriptor = frame.readUInt8(MAGIC_BYTES);
  const singleSegment = (descriptor >> 5) & 1;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] ?? 0;
  const contentSizeBytes = [singleSegment, 2, 4, 8][descriptor >> 6] ?? 0;
  const at = MAGIC_BYTES + 1 + (1 - singleSegment) + dictionaryBytes + contentSizeBytes;
  return { at, checksumBytes: (descriptor >> 2) & 1 ? CHECKSUM_BYTES : 0 };
}
