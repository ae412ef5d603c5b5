import type { Files } from '@auditing/journal/files';
import type { Journal } from '@auditing/journal/journal';
import { openJournal } from '@auditing/journal/open-journal';
import { encoded, writeOnce } from '@auditing/proto/encoded';
import { Verdicts } from '@auditing/proto/event';
import { Decision } from '@auditing/proto/spool';
import { FollowedJournal } from './followed-journal';

/** Small, so that what both consumers are done with is trimmed soon. */
const SEGMENT_BYTES = 8 * 2 ** 20;

/** For decisions that the consumers have still to read: a second of full load. */
const MEMORY_BYTES = 32 * 2 ** 20;

/** What a decision costs in memory, as a multiple of its bytes on disk. */
const MEMORY_FACTOR = 8;

/** A decision as it lies in its journal. */
export interface DecisionRecord {
  readonly position: number;
  /** Position of the decision after it. */
  readonly next: number;
  readonly decision: Decision;
}

/** What was decided of each part of the spool, in the order of the spool: written once, used by every replay. */
export interface Decisions {
  /** Position of the oldest decision that is still there. */
  readonly start: number;
  /** Position after the last one. */
  readonly end: number;
  /** Resolves when the decisions are on disk; rejects if none of them counts as written. */
  append(decisions: readonly Decision[]): Promise<void>;
  /** Decisions from a position on, waiting for more until the signal aborts. */
  follow(from: number, signal: AbortSignal): AsyncIterable<DecisionRecord>;
  /** The last decision; undefined if there is none. */
  last(): Promise<DecisionRecord | undefined>;
  /** Lets go of the memory for decisions before a position: nobody needs them any more. */
  release(position: number): void;
  /** Removes what lies before a position, as far as whole segments go. */
  trim(position: number): Promise<void>;
  close(): Promise<void>;
}

/** Opens the journal of decisions in a folder. */
export async function openDecisions(directory: string, files?: Files): Promise<Decisions> {
  const journal = await openJournal({
    directory,
    segmentBytes: SEGMENT_BYTES,
    ...(files && { files }),
  });
  const followed = new FollowedJournal({
    journal,
    memoryBytes: MEMORY_BYTES,
    decode: ({ position, next, data }) => ({
      entry: { position, next, decision: Decision.decode(data) },
      bytes: MEMORY_FACTOR * data.length,
    }),
  });
  return {
    get start() {
      return journal.start;
    },
    get end() {
      return journal.end;
    },
    async append(decisions) {
      const records = decisions.map(bytesOf);
      const { positions, end } = await journal.append(records);
      decisions.forEach((decision, index) => {
        const position = positions[index] ?? end;
        const next = positions[index + 1] ?? end;
        const bytes = MEMORY_FACTOR * (records[index]?.length ?? 0);
        followed.add({ position, next, decision }, bytes);
      });
    },
    follow: (from, signal) => followed.follow(from, signal),
    release: (position) => followed.release(position),
    last: () => lastDecision(journal),
    async trim(position) {
      followed.release(position);
      await journal.trim(position);
    },
    close: () => journal.close(),
  };
}

/** The verdicts by themselves first: the archive gets them too, here or in another process. */
function bytesOf(decision: Decision): Uint8Array {
  if (decision.verdicts) writeOnce(Verdicts, decision.verdicts);
  return encoded(Decision, decision);
}

async function lastDecision(journal: Journal): Promise<DecisionRecord | undefined> {
  for (const segment of [...journal.segments()].reverse()) {
    let last: DecisionRecord | undefined;
    for await (const { position, next, data } of journal.read(segment.start)) {
      last = { position, next, decision: Decision.decode(data) };
    }
    if (last) return last;
  }
  return undefined;
}
