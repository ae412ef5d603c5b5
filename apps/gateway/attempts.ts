import type { Cursor } from '@auditing/journal/cursor';
import { FinalError, type EventRange } from './bisect';
import type { PeerName } from './peer';

/**
 * How often a step may end this process before it is given up. High, for a process that is killed from outside within a
 * moment of each start, on a disk that takes long to sync, is always in the middle of the very same step: with 5 a healthy
 * part was given up. Kubernetes restarts a container so often in some 40 minutes.
 */
export const DEATHS_MAX = 12;

/**
 * How many parts of each kind of step are guarded after a start: more than are under way at once, so that the part that
 * ended the process is among them. Those that come after it were never begun.
 */
const GUARDED_PARTS = 64;

/** A step that is about to be taken, with events of one part. */
export interface RiskyStep {
  /** `read` for reading the events, else the service that gets them. */
  readonly kind: 'read' | PeerName;
  /** Where the part lies in the spool. */
  readonly position: number;
  readonly range: EventRange;
}

/** Takes a step that might end the process: Attempts.guard, or what takes it at once. */
export type Guard = <T>(risky: RiskyStep, step: () => Promise<T>) => Promise<T>;

/** For steps that happen in another process: this one does not die of them. */
export const unguarded: Guard = (_, step) => step();

/** What is on disk. */
interface Saved {
  /** Whether the run that wrote it came to its end. */
  readonly stopped: boolean;
  /** Deaths by step. */
  readonly counts: readonly (readonly [step: string, count: number])[];
}

/**
 * Counts, on disk and beforehand, how often a step was begun that never came to an end, because the process died of
 * it: else one event that exhausts the memory would be met again after each restart, for ever. Costs nothing unless
 * the last run died.
 */
export class Attempts {
  readonly #cursor: Cursor;
  readonly #counts: Map<string, number>;
  /** Whether the last run died. */
  readonly #isSuspicious: boolean;
  readonly #parts = new Map<RiskyStep['kind'], Set<number>>();
  /** One guarded step at a time: so it is certain of which one the process dies. */
  #last: Promise<unknown> = Promise.resolve();
  #stopped = false;

  private constructor(cursor: Cursor) {
    const saved = cursor.value && (JSON.parse(cursor.value.toString()) as Saved);
    this.#cursor = cursor;
    this.#counts = new Map(saved?.counts);
    this.#isSuspicious = saved?.stopped === false;
  }

  /** Goes on counting if the last run died. */
  static async open(cursor: Cursor): Promise<Attempts> {
    const attempts = new Attempts(cursor);
    await attempts.#save();
    return attempts;
  }

  /** Notes that this run comes to its end. */
  async close(): Promise<void> {
    await this.#last;
    this.#stopped = true;
    await this.#save();
  }

  /**
   * Takes a step. Rejects with FinalError, without taking it, if it has ended the process too often. An error of the step
   * is an end like any other.
   */
  guard<T>(risky: RiskyStep, step: () => Promise<T>): Promise<T> {
    if (!this.#isSuspicious || !this.#isGuarded(risky)) return step();
    const turn = this.#last.then(() => this.#counted(risky, step));
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  async #counted<T>(risky: RiskyStep, step: () => Promise<T>): Promise<T> {
    const key = keyOf(risky);
    const count = this.#counts.get(key) ?? 0;
    if (count >= DEATHS_MAX) {
      const what = `${risky.kind}, ${risky.range.count} events from ${risky.range.first}`;
      throw new FinalError(new Error(`the process ended ${count} times during this step: ${what}`));
    }
    this.#forgetOthers(risky);
    this.#counts.set(key, count + 1);
    await this.#save();
    try {
      return await step();
    } finally {
      this.#counts.delete(key);
      // It is met again after a failure, and after a success too, until the cursor that tells of it is on disk: a process
      // that is killed again and again before must not seem to die of it.
      await this.#save();
    }
  }

  /** Parts before this one are done with, as far as this kind of step goes. */
  #forgetOthers({ kind, position }: RiskyStep): void {
    for (const key of this.#counts.keys()) {
      const [ofKind, at] = key.split(' ');
      if (ofKind === kind && Number(at) < position) this.#counts.delete(key);
    }
  }

  #isGuarded({ kind, position }: RiskyStep): boolean {
    const parts = this.#parts.get(kind) ?? new Set();
    this.#parts.set(kind, parts);
    if (parts.size < GUARDED_PARTS) parts.add(position);
    return parts.has(position);
  }

  /** A disk that fails is seen by all that write to it; counting less only means that a step is tried more often. */
  async #save(): Promise<void> {
    const saved: Saved = { stopped: this.#stopped, counts: [...this.#counts] };
    await this.#cursor.save(Buffer.from(JSON.stringify(saved))).catch(() => undefined);
  }
}

function keyOf({ kind, position, range }: RiskyStep): string {
  return `${kind} ${position} ${range.first} ${range.count}`;
}
