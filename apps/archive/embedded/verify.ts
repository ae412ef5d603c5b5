import type { KeyObject } from 'node:crypto';

import { eventKey, keyAt } from '@auditing/audit-event/event-key';
import type { Files } from '@auditing/journal/files';
import {
  placeInJournal,
  REWRITTEN,
  type Journal,
  type JournalRecord,
  type Segment,
} from '@auditing/journal/journal';
import { decodeSegmentHeader, SEGMENT_HEADER_MIN_BYTES } from '@auditing/journal/segment-header';
import { VerifyResponse, type VerifyProblem, type VerifyRequest } from '@auditing/proto/archive';
import { Strip } from '@auditing/proto/event';

import {
  isSignedBy,
  readCheckpoint,
  readPublicKey,
  type Checkpoint,
  type ReadCheckpoint,
} from './checkpoint';
import { wholeRecord } from './log-record';
import type { Pace } from './pace';
import { readSegment } from './rebuild';
import type { RetentionRecord } from './retention';
import { readHead, SegmentHash } from './segment-chain';
import { hashOf, splitBatches } from './split-batches';
import { proofOf, statementOf } from './verify-statement';

/** The limit of archive.proto. */
const PROBLEMS_MAX = 1_000;

/** What is verified. */
export interface Verified {
  readonly journal: Pick<Journal, 'read' | 'segments'>;
  readonly files: Files;
  readonly segments: readonly Segment[];
  /** What retention says it removed last; undefined if nothing was removed yet. */
  readonly removed: RetentionRecord | undefined;
  /** The chain's head, as a checkpoint; empty without events. */
  readonly headCheckpoint: string;
  readonly pace: Pace;
}

/** The segments as the head of the chain knows them: what is being written is in its hash, or not to be looked at. */
export function segmentsUpTo(
  head: Checkpoint | undefined,
  segments: readonly Segment[],
): Segment[] {
  if (head === undefined) return [];
  return segments
    .filter(({ start }) => start <= head.segmentStart)
    .map((segment) =>
      segment.start === head.segmentStart ? { ...segment, end: head.position } : segment,
    );
}

/** Reads the whole log, checks each record and each link, and compares the checkpoints. Progress first, then the result. */
export async function* verifyLog(
  request: VerifyRequest,
  verified: Verified,
): AsyncIterable<VerifyResponse> {
  const key = request.publicKey === '' ? undefined : readPublicKey(request.publicKey);
  const check = new LogCheck(verified, request.checkpoints.map(readCheckpoint));
  check.checkSignatures(key);
  const { segments } = verified;
  const totalBytes = segments.reduce((sum, { start, end }) => sum + (end - start), 0);
  for (const segment of segments) {
    await check.segment(segment);
    yield VerifyResponse.create({
      progress: {
        checkedBytes: BigInt(segment.end - (segments[0]?.start ?? 0)),
        totalBytes: BigInt(totalBytes),
        problemCount: check.problems.length,
      },
    });
  }
  yield check.result();
}

/** What a record is found to be. */
interface CheckedRecord {
  /** Empty if all is well. */
  readonly problem: string;
  /** The batches in it, in order. */
  readonly batches: readonly { readonly hash: Buffer; readonly logBytes: number }[];
}

type LogPlace = Pick<ReadCheckpoint, 'segmentStart' | 'position'>;

/** The state of a check: segment after segment. */
class LogCheck {
  readonly problems: VerifyProblem[] = [];
  readonly #verified: Verified;
  readonly #checkpoints: readonly ReadCheckpoint[];
  readonly #matched = new Set<ReadCheckpoint>();
  readonly #counts = { segment: 0, record: 0, event: 0 };
  /** What the next segment must name as the hash before it; undefined where that cannot be known. */
  #previousHash: string | undefined;

  constructor(verified: Verified, checkpoints: readonly ReadCheckpoint[]) {
    this.#verified = verified;
    this.#checkpoints = checkpoints;
    this.#previousHash = verified.removed?.removedHash ?? '';
  }

  checkSignatures(key: KeyObject | undefined): void {
    if (key === undefined) return;
    for (const checkpoint of this.#checkpoints) {
      if (!isSignedBy(checkpoint, key))
        this.#problem(
          checkpoint,
          `the signature of ${checkpoint.text} does not fit the public key: it was not published by the owner of the key`,
        );
    }
  }

  async segment(segment: Segment): Promise<void> {
    const { journal, removed, pace } = this.#verified;
    // A crash came between the record of retention and the removal: it is removed the next time.
    if (removed !== undefined && segment.start < removed.firstKept) return;
    await this.#checkHeader(segment);
    this.#checkLink(segment);
    const hash = new SegmentHash(segment.head);
    const due = this.#checkpoints.filter(({ segmentStart }) => segmentStart === segment.start);
    const problemsBefore = this.problems.length;
    let isWhole = segment.head.length > 0;
    // Where the next batch was written first: joined ones lie elsewhere now, but checkpoints speak of that.
    let at: number | undefined;
    await readSegment(journal, segment, {
      decode: async (record) => {
        await pace.breathe();
        return this.#checkRecord(record);
      },
      onRecord: (record, { problem, batches }) => {
        const position = placeInJournal(record.position);
        if (problem !== '') this.#problem({ segmentStart: segment.start, position }, problem);
        if (record.position < REWRITTEN) at = position;
        for (const { hash: batchHash, logBytes } of batches) {
          hash.add(batchHash);
          at = (at ?? position) + logBytes;
          for (const checkpoint of due) {
            if (checkpoint.position === at && checkpoint.hash === hash.hex())
              this.#matched.add(checkpoint);
          }
        }
      },
      onDamage: (error, position) => {
        isWhole = false;
        this.#problem(
          { segmentStart: segment.start, position: placeInJournal(position) },
          error instanceof Error ? error.message : String(error),
        );
      },
    });
    if (segment.start < (journal.segments()[0]?.start ?? 0)) {
      // Retention removed it meanwhile: nothing can be said of it, nor of the link from it.
      this.problems.length = problemsBefore;
      this.#previousHash = undefined;
      return;
    }
    this.#counts.segment += 1;
    this.#previousHash = isWhole ? hash.hex() : undefined;
    for (const checkpoint of due) this.#missed(checkpoint, segment);
  }

  result(): VerifyResponse {
    const { segments, removed, headCheckpoint } = this.#verified;
    const first = segments[0]?.start ?? 0;
    const known = new Set(segments.map(({ start }) => start));
    const removedCheckpoints: ReadCheckpoint[] = [];
    for (const checkpoint of this.#checkpoints) {
      if (known.has(checkpoint.segmentStart)) continue;
      if (checkpoint.segmentStart >= first)
        this.#problem(
          checkpoint,
          `${checkpoint.text} speaks of a segment that is not there: the archive was cut short or replaced`,
        );
      else if (
        checkpoint.position === removed?.firstKept &&
        checkpoint.hash === removed.removedHash
      )
        this.#matched.add(checkpoint);
      else removedCheckpoints.push(checkpoint);
    }
    const proof = proofOf(this.problems.length, this.#matched.size);
    return VerifyResponse.create({
      result: {
        proof,
        statement: statementOf(proof, [...this.#matched]),
        problems: this.problems.slice(0, PROBLEMS_MAX),
        headCheckpoint,
        firstKeptSegment: BigInt(removed?.firstKept ?? 0),
        removedHash: Buffer.from(removed?.removedHash ?? '', 'hex'),
        segmentCount: this.#counts.segment,
        recordCount: BigInt(this.#counts.record),
        eventCount: BigInt(this.#counts.event),
        matchedCheckpointCount: this.#matched.size,
        removedCheckpointCount: removedCheckpoints.length,
      },
    });
  }

  /** What is in memory of a header was read when the log was opened: the disk may have decayed since. */
  async #checkHeader({ start, head }: Segment): Promise<void> {
    if (head.length === 0) return;
    const { files, journal } = this.#verified;
    const pathNow = (): string =>
      journal.segments().find((segment) => segment.start === start)?.path ?? '';
    const path = pathNow();
    const problem = await headerProblem(files, path, head).catch((error: unknown) =>
      // Its small batches may have been joined meanwhile: then it is another file.
      path === pathNow() ? String(error) : headerProblem(files, pathNow(), head),
    );
    if (problem !== '') this.#problem({ segmentStart: start, position: start }, problem);
  }

  #checkLink({ start, head }: Segment): void {
    if (head.length === 0) {
      this.#problem(
        { segmentStart: start, position: start },
        'the header of the segment is damaged: its link to the segment before cannot be read',
      );
      return;
    }
    const { previousHash } = readHead(head);
    if (this.#previousHash === undefined || previousHash === this.#previousHash) return;
    const named =
      previousHash === '' ? 'that it is the first segment of all' : `the hash ${previousHash}`;
    const found =
      this.#previousHash === ''
        ? 'there is no segment before it'
        : `what is before it has the hash ${this.#previousHash}`;
    this.#problem(
      { segmentStart: start, position: start },
      `the header names ${named}, but ${found}: something before it was changed or removed`,
    );
  }

  /** Checks what the checksums do not: that the block can be read, each event has its key, and the record its hash. */
  async #checkRecord({ data, position, next }: JournalRecord): Promise<CheckedRecord> {
    const { kept, slices: events = [] } = await wholeRecord(data, true);
    this.#counts.event += events.length;
    const batches: { readonly hash: Buffer; readonly logBytes: number }[] = [];
    for (const one of splitBatches(kept, events, next - position)) {
      batches.push({ hash: hashOf(one), logBytes: one.logBytes });
      await this.#verified.pace.breathe();
    }
    this.#counts.record += batches.length;
    const isAsTold = kept.joined !== undefined || batches[0]?.hash.equals(kept.contentHash);
    const strips = new Map(kept.verdicts?.verdicts.map(({ event, strip }) => [event, strip]));
    const keys = kept.batch?.keys ?? Buffer.alloc(0);
    const wrong = events.findIndex(
      (bytes, event) =>
        (strips.get(event) ?? Strip.UNSPECIFIED) === Strip.UNSPECIFIED &&
        !eventKey(bytes).equals(keyAt(keys, event)),
    );
    if (wrong !== -1)
      return { problem: `event ${wrong} of the record is not the one its key names`, batches };
    const problem = isAsTold === true ? '' : 'the record does not say what its hash names';
    return { problem, batches };
  }

  #missed(checkpoint: ReadCheckpoint, { end }: Segment): void {
    if (this.#matched.has(checkpoint)) return;
    const why =
      checkpoint.position > end
        ? `the segment ends at ${end}: events were removed from its end`
        : 'the segment has another hash there: it was changed';
    this.#problem(checkpoint, `${checkpoint.text} does not fit: ${why}`);
  }

  #problem({ segmentStart, position }: LogPlace, description: string): void {
    this.problems.push({ segment: BigInt(segmentStart), position: BigInt(position), description });
  }
}

async function headerProblem(files: Files, path: string, head: Buffer): Promise<string> {
  const file = await files.open(path, 'read');
  try {
    const bytes = await file.read(0, SEGMENT_HEADER_MIN_BYTES + head.length);
    const header = decodeSegmentHeader(bytes, path);
    return header?.head.equals(head) === true
      ? ''
      : `the header of ${path} is damaged on disk since the log was opened`;
  } finally {
    await file.close();
  }
}
