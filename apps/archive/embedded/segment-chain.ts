import { createHash, type Hash } from 'node:crypto';

import type { BatchMarks } from '@auditing/audit-event/batch-marks';
import type { Segment } from '@auditing/journal/journal';

/** From 2 on the hash is made of what batches say; before, of the bytes of records. */
const HEAD_VERSION = 2;
const GENESIS = '';

/** What stands in the header of a segment of the log, as JSON. */
export interface SegmentHead {
  readonly version: number;
  /** Hash of the segment before, in hexadecimal; empty in the first segment that ever was. */
  readonly previousHash: string;
  /** `BatchMarks.snapshot()` of all segments before. */
  readonly marks: string;
}

/** @throws Error if it is no head, or of a version not known here. */
export function readHead(head: Buffer): SegmentHead {
  const parsed = JSON.parse(head.toString()) as SegmentHead;
  if (parsed.version !== HEAD_VERSION) {
    throw new Error(
      `archive log: expected a segment head of version ${HEAD_VERSION}, got ${parsed.version}; another release wrote it`,
    );
  }
  return parsed;
}

/**
 * Hash of a segment while it is written: SHA-256 over its head and the hash of what each batch says (content-hash.ts), each
 * behind its length. The head holds the hash of the segment before, so that a segment vouches for all before it. That small
 * batches are joined into one record, or how they are compressed, changes nothing of it.
 */
export class SegmentHash {
  readonly #hash: Hash = createHash('sha256').update('auditing archive segment 2\n');

  constructor(head: Uint8Array) {
    this.add(head);
  }

  /** Adds the hash of a batch; first of all, the head. */
  add(data: Uint8Array): void {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(data.length);
    this.#hash.update(length).update(data);
  }

  /** The hash of what was added so far, in hexadecimal. */
  hex(): string {
    return this.#hash.copy().digest('hex');
  }
}

/** The chain of segments: gives each new one its head. */
export class SegmentChain {
  /** Hashes by head, of the segment being written and of such as were begun after it and hold nothing yet. */
  readonly #hashes = new Map<string, SegmentHash>();
  readonly #marks: BatchMarks;

  /** `marks` are written into each head as they are when the segment begins. */
  constructor(marks: BatchMarks) {
    this.#marks = marks;
  }

  /** The head of a new segment: `segmentHead` of the journal. */
  begin(previous: Segment | undefined): Buffer {
    const previousHash = previous === undefined ? GENESIS : this.hashOf(previous);
    const head: SegmentHead = {
      version: HEAD_VERSION,
      previousHash,
      marks: this.#marks.snapshot().toString(),
    };
    const bytes = Buffer.from(JSON.stringify(head));
    this.#hashes.set(keyOf(bytes), new SegmentHash(bytes));
    return bytes;
  }

  /** A segment that was there when the log was opened; its records are to be added to the hash. */
  resume(segment: Segment): SegmentHash {
    const hash = new SegmentHash(segment.head);
    this.#hashes.set(keyOf(segment.head), hash);
    return hash;
  }

  /** The hash of a segment that was begun, for its first durable record: the segments before it are forgotten. */
  continueIn(segment: Segment): SegmentHash {
    const key = keyOf(segment.head);
    const hash = this.#hashes.get(key);
    if (hash === undefined)
      throw new Error('archive log: a record lies in a segment that was never begun');
    this.#hashes.clear();
    this.#hashes.set(key, hash);
    return hash;
  }

  /** Hash of the segment that is written to, or was until now. */
  hashOf(segment: Segment): string {
    const hash = this.#hashes.get(keyOf(segment.head));
    if (hash === undefined) throw new Error('archive log: the segment before was never begun');
    return hash.hex();
  }
}

/** The bytes of a head can be a megabyte; its hash is as good a name. */
function keyOf(head: Buffer): string {
  return createHash('sha256').update(head).digest('hex');
}
