import { crc32 } from 'node:zlib';

import { compressBlock, decompressBlock } from '@auditing/audit-event/block';
import { Field, type Codec } from '@auditing/proto/event';

import { INDEXED_FIELDS } from '../indexed-fields';
import { ListedValues, type CodedColumn, type Codes } from './column';
import { Ids } from './id-column';
import { prefixesOf } from './sealed-keys';
import type { RecordTable, SegmentIndex, SegmentSummary } from './segment-index';

/**
 * The index of a segment on disk. Derived from the log: what is wrong with one is mended by writing it anew.
 *
 *     8 bytes   magic
 *     u32 LE    length of the header
 *     u32 LE    CRC-32 of the header
 *     header    JSON: SidecarHeader
 *     sections  one after the other, each compressed and checksummed by itself, so that a query reads its columns alone
 */
const MAGIC = Buffer.from('AUDIDX\r\n');
const VERSION = 4;
const PREAMBLE_BYTES = MAGIC.length + 8;

/** Read at once when a sidecar is opened: a header takes about 6 KB. */
export const HEAD_READ_BYTES = 16 * 1024;

/** A header beyond this is damage. */
const HEADER_MAX_BYTES = 2 ** 20;

/** What a sidecar says of itself. */
export interface SidecarHeader extends SegmentSummary {
  readonly version: number;
  /** The bytes of the log that it was made from: another end means that it is stale. */
  readonly segmentStart: number;
  readonly segmentEnd: number;
  /** Hash of the segment (segment-chain.ts), where it was known when the sidecar was written. */
  readonly segmentHash: string;
  /** False for what was saved of a segment that was written to, even if nothing came into it after that. */
  readonly isSealed: boolean;
  /** Whether it was made from joined records: where they lie is another. */
  readonly isRewritten: boolean;
  /** Records of the segment that could not be read when the sidecar was made. */
  readonly damagedCount: number;
  readonly sections: readonly SidecarSection[];
}

/** Where a section lies. */
export interface SidecarSection {
  readonly name: string;
  /** From the end of the header. */
  readonly offset: number;
  readonly bytes: number;
  readonly rawBytes: number;
  readonly codec: Codec;
  readonly crc: number;
}

/** A sidecar is damaged, or not of this version: it is to be made anew. */
export class SidecarError extends Error {
  override readonly name = 'SidecarError';
}

/** What the segment's own index does not know. */
export type SidecarOrigin = Pick<
  SidecarHeader,
  'segmentEnd' | 'segmentHash' | 'damagedCount' | 'isSealed' | 'isRewritten'
>;

/** A whole sidecar, ready to be written. */
export interface EncodedSidecar {
  readonly header: SidecarHeader;
  /** What stands before the sections. */
  readonly head: readonly Buffer[];
  /** The sections, as `header.sections`. */
  readonly sections: readonly Buffer[];
}

/** Makes a sidecar out of the index of a segment, as it is at this moment: rows may be added while it is made. */
export async function encodeSidecar(
  index: SegmentIndex,
  origin: SidecarOrigin,
): Promise<EncodedSidecar> {
  const sections: SidecarSection[] = [];
  const chunks: Buffer[] = [];
  let offset = 0;
  const summary = index.summary();
  const moment = {
    rowCount: index.rowCount,
    times: index.times(),
    stageTimes: index.stageTimes,
    records: index.records(),
    keys: index.keys.keys(),
  };
  for (const [name, raw] of rawSections(index, moment)) {
    const { codec, data, rawBytes } = await compressBlock([raw]);
    chunks.push(data);
    sections.push({ name, offset, bytes: data.length, rawBytes, codec, crc: crc32(data) });
    offset += data.length;
  }
  const header: SidecarHeader = {
    version: VERSION,
    segmentStart: index.start,
    ...origin,
    ...summary,
    sections,
  };
  const headerBytes = Buffer.from(JSON.stringify(header));
  const lengths = Buffer.alloc(8);
  lengths.writeUInt32LE(headerBytes.length, 0);
  lengths.writeUInt32LE(crc32(headerBytes), 4);
  return { header, head: [MAGIC, lengths, headerBytes], sections: chunks };
}

/** What of an index is of one moment; its columns only grow. */
interface Moment {
  readonly rowCount: number;
  readonly times: Float64Array;
  readonly stageTimes: Float64Array;
  readonly records: RecordTable;
  readonly keys: Buffer;
}

/** The parts of a sidecar, uncompressed, by name. One at a time, so that they need not lie in memory together. */
function* rawSections(
  index: SegmentIndex,
  { rowCount, times, stageTimes, records, keys }: Moment,
): Iterable<readonly [string, Buffer]> {
  yield ['times', bytesOf(times)];
  yield ['stage-times', bytesOf(stageTimes)];
  yield ['records', Buffer.concat([bytesOf(records.positions), bytesOf(records.firstRows)])];
  yield ['keys', prefixesOf(keys)];
  for (const field of INDEXED_FIELDS) {
    const codes = index.column(field).codes.subarray(0, rowCount);
    yield field === Field.AUDIT_ID
      ? [columnName(field), encodeIds(index.ids.codes.subarray(0, rowCount), index.ids.values)]
      : [columnName(field), encodeColumn({ codes, values: index.column(field).values })];
  }
}

/** Name of the section of a column. */
export function columnName(field: Field): string {
  return `column-${field}`;
}

/** Bytes that the header takes with what is before it, as far as the beginning of the file tells. */
export function headBytes(beginning: Buffer): number {
  if (beginning.length < PREAMBLE_BYTES || !beginning.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw new SidecarError('no sidecar');
  }
  const headerBytes = beginning.readUInt32LE(MAGIC.length);
  if (headerBytes > HEADER_MAX_BYTES)
    throw new SidecarError('damaged: impossible length of the header');
  return PREAMBLE_BYTES + headerBytes;
}

/** The header, out of the beginning of the file. */
export function decodeHeader(beginning: Buffer): SidecarHeader {
  const header = beginning.subarray(PREAMBLE_BYTES, headBytes(beginning));
  if (crc32(header) !== beginning.readUInt32LE(MAGIC.length + 4))
    throw new SidecarError('damaged: header checksum');
  const parsed = JSON.parse(header.toString()) as SidecarHeader;
  if (parsed.version !== VERSION)
    throw new SidecarError(`version ${parsed.version}, expected ${VERSION}`);
  return parsed;
}

/** The bytes of a section, uncompressed. */
export async function decodeSection(section: SidecarSection, data: Buffer): Promise<Buffer> {
  if (data.length !== section.bytes || crc32(data) !== section.crc) {
    throw new SidecarError(`damaged: checksum of section ${section.name}`);
  }
  return decompressBlock({ codec: section.codec, data, rawBytes: section.rawBytes });
}

/** Width of a code, the codes, the values as JSON. */
function encodeColumn({ codes, values }: CodedColumn): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(codes.BYTES_PER_ELEMENT, 0);
  head.writeUInt32LE(codes.byteLength, 4);
  const list = Array.from({ length: values.length }, (_, index) => values.at(index));
  return Buffer.concat([head, bytesOf(codes), Buffer.from(JSON.stringify(list))]);
}

/** A column out of its section. */
export function decodeColumn(raw: Buffer): CodedColumn {
  const width = raw.readUInt32LE(0);
  const end = 8 + raw.readUInt32LE(4);
  const codes = raw.subarray(8, end);
  return {
    codes: typedCodes(codes, width),
    values: new ListedValues(JSON.parse(raw.subarray(end).toString()) as string[]),
  };
}

/** Bytes of codes, bytes of ids, then both, then the others as JSON. A code is written as its distance to the one before. */
function encodeIds(codes: Uint32Array, ids: Ids): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(codes.byteLength, 0);
  head.writeUInt32LE(ids.binary.length, 4);
  const steps = codes.map((code, row) => code - (codes[row - 1] ?? 0));
  const others = Buffer.from(JSON.stringify([...ids.others]));
  return Buffer.concat([head, bytesOf(steps), ids.binary, others]);
}

/** The column of ids out of its section. */
export function decodeIds(raw: Buffer): { readonly codes: Uint32Array; readonly values: Ids } {
  const codesEnd = 8 + raw.readUInt32LE(0);
  const idsEnd = codesEnd + raw.readUInt32LE(4);
  const codes = new Uint32Array(aligned(raw.subarray(8, codesEnd)));
  for (let row = 1; row < codes.length; row += 1) {
    // Steps are modulo 2^32, as the array is.
    codes[row] = (codes[row] ?? 0) + (codes[row - 1] ?? 0);
  }
  const others = JSON.parse(raw.subarray(idsEnd).toString()) as [number, string][];
  return { codes, values: new Ids(raw.subarray(codesEnd, idsEnd), others) };
}

function typedCodes(bytes: Buffer, width: number): Codes {
  const buffer = aligned(bytes);
  if (width === 1) return new Uint8Array(buffer);
  return width === 2 ? new Uint16Array(buffer) : new Uint32Array(buffer);
}

/** Numbers out of their section. */
export function decodeNumbers(raw: Buffer): Float64Array {
  return new Float64Array(aligned(raw));
}

/** The records out of their section. */
export function decodeRecords(raw: Buffer): RecordTable {
  const numbers = decodeNumbers(raw);
  const count = numbers.length / 2;
  return { positions: numbers.subarray(0, count), firstRows: numbers.subarray(count) };
}

/** Typed arrays need their own alignment; the machines this runs on are little-endian, as the file is. */
function aligned(bytes: Buffer): ArrayBuffer {
  const copy = new ArrayBuffer(bytes.length);
  new Uint8Array(copy).set(bytes);
  return copy;
}

function bytesOf(array: Float64Array | Codes): Buffer {
  return Buffer.from(array.buffer, array.byteOffset, array.byteLength);
}
