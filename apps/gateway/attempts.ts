import type { AttemptsFile } from './attempts-file';
import { FinalError, type EventRange } from './bisect';
import type { PeerName } from './peer';
import type { Spool } from './spool';

/**
 * How often a step may end this process before it is given up. Only deaths within the step count, so that few are enough:
 * Kubernetes restarts a container so often in some ten minutes.
 */
export const DEATHS_MAX = 5;

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

/**
 * Counts, in a file and beforehand, how often a step was begun that never came to an end, because the process died of
 * it: else one event that exhausts the memory would be met again after each restart, for ever. Costs nothing unless
 * the last run died, and microseconds then: what is saved slowly would count deaths around the step too, of which a
 * process that somebody kills again and again has many. Counting begins anew when the power was lost: no step does that.
 */
export class Attempts {
  readonly #file: AttemptsFile;
  readonly #counts: Map<string, number>;
  /** Whether the last run died. */
  readonly #isSuspicious: boolean;
  readonly #parts = new Map<RiskyStep['kind'], Set<number>>();
  /** One guarded step at a time: so it is certain of which one the process dies. */
  #last: Promise<unknown> = Promise.resolve();
  #stopped = false;

  /** Goes on counting if the last run died. Steps with parts that are not in the spool (any more) are done with. */
  constructor(file: AttemptsFile, spool: Pick<Spool, 'start' | 'end'>) {
    this.#file = file;
    const counts = file.last?.counts ?? [];
    this.#counts = new Map(counts.filter(([key]) => isIn(spool, positionOf(key))));
    this.#isSuspicious = file.last?.stopped === false;
    this.#save();
  }

  /** Notes that this run comes to its end. */
  async close(): Promise<void> {
    await this.#last;
    this.#stopped = true;
    this.#save();
    await this.#file.close();
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
    this.#counts.set(key, count + 1);
    this.#save();
    try {
      return await step();
    } finally {
      this.#counts.delete(key);
      this.#save();
    }
  }

  #isGuarded({ kind, position }: RiskyStep): boolean {
    const parts = this.#parts.get(kind) ?? new Set();
    this.#parts.set(kind, parts);
    if (parts.size < GUARDED_PARTS) parts.add(position);
    return parts.has(position);
  }

  /** A disk that fails is seen by all that write to it; counting less only means that a step is tried more often. */
  #save(): void {
    try {
      this.#file.save({ stopped: this.#stopped, counts: [...this.#counts] });
    } catch {
      return;
    }
  }
}

function keyOf({ kind, position, range }: RiskyStep): string {
  return `${kind} ${position} ${range.first} ${range.count}`;
}

function positionOf(key: string): number {
  return Number(key.split(' ')[1]);
}

function isIn({ start, end }: Pick<Spool, 'start' | 'end'>, position: number): boolean {
  return position >= start && position < end;
}
