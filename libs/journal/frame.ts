import { crc32 } from 'node:zlib';

/**
 * How a record lies in a segment file. Little-endian:
 *
 *     0  u32  magic
 *     4  u32  length of the payload
 *     8  u32  bytes between the start of its group (what one fsync put on disk) and this record
 *    12  u32  CRC-32 of the payload
 *    16  u32  CRC-32 of the segment's salt, the record's position, and bytes 0 to 16
 *    20       payload
 *
 * Salt and position make bytes of another segment, or of another place, invalid here: old blocks that a file
 * system hands out again, or a payload made to look like records. The salt is random, so nobody can aim at it.
 *
 * The group tells a torn tail from decay: everything before a group was on disk when the group was begun. Damage
 * before the group of a whole record is therefore decay of what was acknowledged; damage with no such record
 * behind it was never acknowledged, or is the last group's.
 */
export const FRAME_HEADER_BYTES = 20;

/** First bytes of every record: what a search for the next whole record looks for. */
export const FRAME_MAGIC = Buffer.from([0xa5, 0x4a, 0x52, 0x01]);

/**
 * Records of one append, together: they are in memory as a whole, one of them when it is read, and lengths within
 * a group must fit their fields.
 */
export const APPEND_MAX_BYTES = 512 * 1024 * 1024;

/** What binds a record to its segment. */
export type Salt = Buffer;

/** Header of a record, checked. */
export interface FrameHeader {
  readonly length: number;
  readonly payloadCrc: number;
  /** Position of the first record of its group. */
  readonly groupStart: number;
}

/** Records as they are written: for each a header and the payload itself, not copied. */
export interface Frames {
  readonly chunks: readonly Uint8Array[];
  readonly positions: readonly number[];
  readonly end: number;
}

/** Frames records, the first at `groupStart`, as one group. */
export function encodeFrames(
  records: readonly Uint8Array[],
  salt: Salt,
  groupStart: number,
): Frames {
  const headers = Buffer.allocUnsafe(records.length * FRAME_HEADER_BYTES);
  const chunks: Uint8Array[] = [];
  const positions: number[] = [];
  let position = groupStart;
  records.forEach((payload, index) => {
    const at = index * FRAME_HEADER_BYTES;
    const header = headers.subarray(at, at + FRAME_HEADER_BYTES);
    FRAME_MAGIC.copy(header);
    header.writeUInt32LE(payload.length, 4);
    header.writeUInt32LE(position - groupStart, 8);
    header.writeUInt32LE(crc32(payload), 12);
    header.writeUInt32LE(headerCrc(header, salt, position), 16);
    chunks.push(header, payload);
    positions.push(position);
    position += FRAME_HEADER_BYTES + payload.length;
  });
  return { chunks, positions, end: position };
}

/** Reads a header; undefined if these bytes are not the header of a record at this position. */
export function decodeFrameHeader(
  bytes: Buffer,
  salt: Salt,
  position: number,
): FrameHeader | undefined {
  if (bytes.length < FRAME_HEADER_BYTES) return undefined;
  if (bytes.compare(FRAME_MAGIC, 0, FRAME_MAGIC.length, 0, FRAME_MAGIC.length) !== 0)
    return undefined;
  if (bytes.readUInt32LE(16) !== headerCrc(bytes, salt, position)) return undefined;
  return {
    length: bytes.readUInt32LE(4),
    groupStart: position - bytes.readUInt32LE(8),
    payloadCrc: bytes.readUInt32LE(12),
  };
}

const place = Buffer.alloc(8);

function headerCrc(header: Buffer, salt: Salt, position: number): number {
  place.writeDoubleLE(position);
  return crc32(header.subarray(0, 16), crc32(place, crc32(salt)));
}
