import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Files, OpenFile } from './files';
import { FrameReader } from './frame-reader';
import type { Salt } from './frame';
import { placeInJournal, REWRITTEN, type Segment } from './journal';
import {
  decodeSegmentHeader,
  encodeSegmentHeader,
  HEAD_MAX_BYTES,
  headerBytesOf,
  SEGMENT_HEADER_MAX_BYTES,
  SEGMENT_HEADER_READ_BYTES,
  SEGMENT_HEADER_MIN_BYTES,
  segmentHeaderBytes,
} from './segment-header';
import type { SegmentHeader } from './segment-header';

/** A segment while the journal is open: what Segment says, and what writing and reading need. */
export interface OpenSegment {
  readonly start: number;
  readonly path: string;
  readonly head: Buffer;
  /** Position of the first byte of the file: `start`, or REWRITTEN + `start`. */
  readonly base: number;
  /** Position of its first record. */
  readonly first: number;
  /** Binds its records to it; undefined if its header is damaged, so that none can be read. */
  readonly salt: Salt | undefined;
  /** Position after its last durable record, as it was written first; `first` without one. */
  end: number;
  /** Size of the file. */
  fileBytes: number;
  /** The file, while it is written to. */
  file: OpenFile | undefined;
}

/** A segment that can be written to. */
export interface WritableSegment extends OpenSegment {
  readonly salt: Salt;
  file: OpenFile;
}

/** Names sort as their positions: 16 digits hold every safe integer. The name of a rewritten segment has its end too. */
const NAME = /^(\d{16})(?:-(\d{16}))?\.journal$/;

/** A segment gets its name when its header is on disk: before, it has this. */
export const UNFINISHED = '.new';

/** Bytes that a segment takes before its first record. */
export const segmentOverhead = (head: Uint8Array): number => SEGMENT_HEADER_MIN_BYTES + head.length;

/** True once its records were written anew. */
export const isRewritten = (segment: OpenSegment): boolean => segment.base !== segment.start;

/** True if there is a record in it. */
export const hasRecords = (segment: OpenSegment): boolean =>
  isRewritten(segment) || segment.end > segment.first;

/** Position after the last byte that counts. */
export const dataEnd = (segment: OpenSegment): number =>
  isRewritten(segment) ? segment.base + segment.fileBytes : segment.end;

/** True unless it is ended. */
export const isWritable = (segment: OpenSegment): segment is WritableSegment =>
  segment.file !== undefined && segment.salt !== undefined;

/** Where reading of a segment begins: its first record, or where one will follow the segment before. */
export function startOf(segment: OpenSegment): number {
  return hasRecords(segment) ? segment.first - segment.base + segment.start : segment.start;
}

/** Position after the last durable record. */
export function endOf(segments: readonly OpenSegment[]): number {
  const last = segments.at(-1);
  if (!last) return 0;
  return hasRecords(last) ? last.end : last.start;
}

/** What a caller may see of a segment. */
export function publicSegment(segment: OpenSegment): Segment {
  const { start, path, head, fileBytes } = segment;
  const end = hasRecords(segment) ? segment.end : start;
  const sealed = segment.file === undefined;
  return { start, end, bytes: fileBytes, isRewritten: isRewritten(segment), path, head, sealed };
}

/** Checks what `segmentHead` gave. */
export function checkedHead(head: Uint8Array): Buffer {
  if (head.length > HEAD_MAX_BYTES)
    throw new RangeError(
      `journal: segmentHead gave ${head.length} bytes, at most ${HEAD_MAX_BYTES} fit`,
    );
  return Buffer.from(head);
}

/**
 * Begins a segment; it and its name are on disk when this resolves. It replaces one of the same name: only one
 * without records can be there, left by a failure such as this function's.
 */
export async function createSegment(
  files: Files,
  directory: string,
  at: { readonly start: number; readonly head: Buffer },
): Promise<WritableSegment> {
  const path = segmentPath(directory, at.start);
  const header: SegmentHeader = { ...at, salt: randomBytes(8) };
  const file = await files.open(path + UNFINISHED, 'create durably');
  try {
    await file.write(0, [encodeSegmentHeader(header)]);
    await file.sync();
    await files.rename(path + UNFINISHED, path);
    await files.syncDirectory(directory);
  } catch (error) {
    await Promise.allSettled([file.close(), files.unlink(path + UNFINISHED)]);
    throw error;
  }
  const fileBytes = segmentHeaderBytes(header);
  return { ...segmentOf(header, { path, fileBytes, file }), file, salt: header.salt };
}

/** Path of the file with the records of a segment as they were written first. */
export function segmentPath(directory: string, start: number): string {
  return join(directory, `${digits(start)}.journal`);
}

/** Path of the file with the new records of a segment. */
export function rewrittenPath(directory: string, { start, end }: OpenSegment): string {
  return join(directory, `${digits(start)}-${digits(end)}.journal`);
}

const digits = (position: number): string => String(position).padStart(16, '0');

/** Removes what a crash left of segments that were being begun. */
export async function removeUnfinished(files: Files, directory: string): Promise<void> {
  const names = await files.list(directory);
  for (const name of names.filter((name) => name.endsWith(`.journal${UNFINISHED}`)))
    await files.unlink(join(directory, name));
}

/** The segments in a folder, oldest first, their ends not yet known where a crash could have moved them. */
export async function findSegments(files: Files, directory: string): Promise<OpenSegment[]> {
  const names = await files.list(directory);
  const segments: OpenSegment[] = [];
  for (const name of names.filter((name) => NAME.test(name)).sort())
    await addSegment(files, segments, await loadSegment(files, directory, name));
  segments.forEach((segment, index) => {
    const next = segments[index + 1];
    if (next) segment.end = next.start;
  });
  return segments;
}

/** Of a segment that was being rewritten, both files can be there: the new one got its name when it was whole. */
async function addSegment(
  files: Files,
  segments: OpenSegment[],
  segment: OpenSegment,
): Promise<void> {
  const before = segments.at(-1);
  if (before?.start !== segment.start) {
    segments.push(segment);
    return;
  }
  const rewritten = isRewritten(segment) ? segment : before;
  const original = isRewritten(segment) ? before : segment;
  const kept = rewritten.salt === undefined ? original : rewritten;
  segments[segments.length - 1] = kept;
  await files.unlink((kept === rewritten ? original : rewritten).path);
}

async function loadSegment(files: Files, directory: string, name: string): Promise<OpenSegment> {
  const path = join(directory, name);
  const [, startDigits, endDigits] = NAME.exec(name) ?? [];
  const start = Number(startDigits);
  const base = endDigits === undefined ? start : REWRITTEN + start;
  const file = await files.open(path, 'read');
  try {
    const fileBytes = await file.size();
    let beginning = await file.read(0, SEGMENT_HEADER_READ_BYTES);
    if (headerBytesOf(beginning) > beginning.length)
      beginning = await file.read(0, SEGMENT_HEADER_MAX_BYTES);
    const header = decodeSegmentHeader(beginning, path);
    const end = endDigits === undefined ? start + fileBytes : Number(endDigits);
    if (header?.start === base) {
      const segment = segmentOf(header, { path, fileBytes, file: undefined });
      return base === start ? segment : { ...segment, end };
    }
    const damaged = { start, base, path, first: base, end, fileBytes };
    return { ...damaged, head: Buffer.alloc(0), salt: undefined, file: undefined };
  } finally {
    await file.close();
  }
}

function segmentOf(
  header: SegmentHeader,
  on: Pick<OpenSegment, 'path' | 'fileBytes' | 'file'>,
): OpenSegment {
  const { start: base, salt, head } = header;
  const first = base + segmentHeaderBytes(header);
  return { start: placeInJournal(base), base, salt, head, ...on, first, end: first };
}

/** What a crash left of a segment. */
export interface Recovered {
  /** Position after the last whole record. */
  readonly end: number;
  /** Position of its group: what lies before it is on disk for sure. */
  readonly groupStart: number;
}

/**
 * Finds the end of a segment. Damage that a later record proves to be decay of acknowledged records (frame.ts) is
 * passed over: it stays, and reading reports it.
 */
export async function recover(
  file: OpenFile,
  segment: OpenSegment,
  salt: Salt,
): Promise<Recovered> {
  const limit = segment.start + (await file.size());
  const reader = new FrameReader(file, { start: segment.start, salt });
  let end = segment.first;
  let groupStart = end;
  for (;;) {
    const frame = await reader.read(end, limit);
    if (frame.kind === 'whole') {
      ({ next: end, groupStart } = frame);
      continue;
    }
    let later = await reader.find(end + 1, limit);
    while (later && later.groupStart <= end) later = await reader.find(later.next, limit);
    if (!later) return { end, groupStart };
    end = later.position;
  }
}
