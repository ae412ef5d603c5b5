import { crc32 } from 'node:zlib';
import type { Salt } from './frame';

/**
 * How a segment file begins. Little-endian:
 *
 *     0  8 bytes  magic
 *     8  u32      version
 *    12  u32      length of the head
 *    16  f64      position of the file's first byte
 *    24  8 bytes  salt of its records (frame.ts)
 *    32  u32      CRC-32 of bytes 0 to 32 and the head
 *    36           head, then the first record
 */
const FIXED_BYTES = 36;
const MAGIC = Buffer.from('KAJOURNL');
const VERSION = 1;

/** Heads of all segments are in memory while the journal is open. */
export const HEAD_MAX_BYTES = 1024 * 1024;

/** A segment file is at least this long; a shorter one holds nothing. */
export const SEGMENT_HEADER_MIN_BYTES = FIXED_BYTES;

/** Enough to hold every header. */
export const SEGMENT_HEADER_MAX_BYTES = FIXED_BYTES + HEAD_MAX_BYTES;

/** Read first: few headers are larger, and a journal can have hundreds. */
export const SEGMENT_HEADER_READ_BYTES = 16 * 1024;

/** What a segment file says of itself. */
export interface SegmentHeader {
  readonly start: number;
  readonly salt: Salt;
  readonly head: Buffer;
}

/** Size of a header in its file. */
export function segmentHeaderBytes(header: SegmentHeader): number {
  return FIXED_BYTES + header.head.length;
}

/** Size of the header that a file begins with, as far as that can be told. */
export function headerBytesOf(beginning: Buffer): number {
  return beginning.length < FIXED_BYTES ? 0 : FIXED_BYTES + beginning.readUInt32LE(12);
}

/** Bytes of a header. */
export function encodeSegmentHeader(header: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(FIXED_BYTES);
  MAGIC.copy(bytes);
  bytes.writeUInt32LE(VERSION, 8);
  bytes.writeUInt32LE(header.head.length, 12);
  bytes.writeDoubleLE(header.start, 16);
  header.salt.copy(bytes, 24);
  bytes.writeUInt32LE(crc32(header.head, crc32(bytes.subarray(0, 32))), 32);
  return Buffer.concat([bytes, header.head]);
}

/**
 * Reads the header from the first bytes of a file; undefined if it is damaged. Throws if a version that is not
 * known wrote it: going on would leave its records out.
 */
export function decodeSegmentHeader(bytes: Buffer, path: string): SegmentHeader | undefined {
  if (bytes.length < FIXED_BYTES || !bytes.subarray(0, MAGIC.length).equals(MAGIC))
    return undefined;
  const version = bytes.readUInt32LE(8);
  if (version !== VERSION && isOfThisVersion(bytes)) return undefined;
  if (version !== VERSION)
    throw new Error(
      `journal: ${path} has format version ${version}, this program reads version ${VERSION}: ` +
        'start the program that wrote it, or move the file away',
    );
  const head = checkedHead(bytes);
  return (
    head && {
      start: bytes.readDoubleLE(16),
      salt: Buffer.from(bytes.subarray(24, 32)),
      head: Buffer.from(head),
    }
  );
}

/** True if it is a header of this version but for the version: decay, not a newer program. */
function isOfThisVersion(bytes: Buffer): boolean {
  const mended = Buffer.from(bytes);
  mended.writeUInt32LE(VERSION, 8);
  return checkedHead(mended) !== undefined;
}

/** The head, as a view; undefined if the checksum does not fit. */
function checkedHead(bytes: Buffer): Buffer | undefined {
  const end = FIXED_BYTES + bytes.readUInt32LE(12);
  if (bytes.length < end) return undefined;
  const head = bytes.subarray(FIXED_BYTES, end);
  const crc = crc32(head, crc32(bytes.subarray(0, 32)));
  return bytes.readUInt32LE(32) === crc ? head : undefined;
}
