import type { Files } from '@auditing/journal/files';
import type { Journal } from '@auditing/journal/journal';
import { openJournal } from '@auditing/journal/open-journal';
import { Decision } from '@auditing/proto/spool';

/** Small, so that what both consumers are done with is trimmed soon. */
const SEGMENT_BYTES = 8 * 2 ** 20;

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
  return {
    get start() {
      return journal.start;
    },
    get end() {
      return journal.end;
    },
    async append(decisions) {
      await journal.append(decisions.map((decision) => Decision.encode(decision).finish()));
    },
    async *follow(from, signal) {
      for await (const { position, next, data } of journal.follow(from, signal)) {
        yield { position, next, decision: Decision.decode(data) };
      }
    },
    last: () => lastDecision(journal),
    trim: (position) => journal.trim(position),
    close: () => journal.close(),
  };
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
