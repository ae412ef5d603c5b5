import type { Journal } from '@auditing/journal/journal';

/** Jobs whose records share one fsync. That many of the largest gRPC messages still fit into one append. */
const GROUP_MAX_JOBS = 12;

/** Something to be written. */
export interface WriteJob<T> {
  /**
   * Gives the records. Called when all that was written before is on disk and applied; `staged` is what the jobs
   * before it in the same group are about to write: they succeed or fail with it. May throw: this job alone fails.
   */
  readonly prepare: (staged: Staged) => readonly Uint8Array[];
  /** Called when the records are on disk, with their positions; gives what the writer of the job is answered. */
  readonly apply: (positions: readonly number[]) => T;
  /** True if no other job may be in its group. */
  readonly alone?: boolean;
}

/** What the group that is being made up will have written. */
export interface Staged {
  readonly batches: Set<string>;
  readonly alerts: Set<string>;
  /** First alerts of groups that are begun, by group key. */
  readonly groups: Map<string, StagedFirst>;
  /** The same by request key. */
  readonly requests: Map<string, StagedFirst>;
  /** Tokens that are taken, by rule and receiver. */
  readonly tokens: Map<string, number>;
}

/** The first alert of a group, as far as joining it needs. */
export interface StagedFirst {
  readonly id: Buffer;
  /** Receivers that get it by a digest. */
  readonly digestedFor: readonly string[];
}

interface Waiting {
  readonly prepare: WriteJob<unknown>['prepare'];
  readonly apply: (positions: readonly number[]) => void;
  readonly reject: (error: unknown) => void;
  readonly alone: boolean;
}

/**
 * The only writer of a journal: jobs go one group after the other, each group with one append. So a job sees all that
 * was written before it, and a batch that comes twice at once waits for its first copy and shares its outcome.
 */
export class GroupWriter {
  readonly #journal: Journal;
  #waiting: Waiting[] = [];
  #drained: Promise<void> = Promise.resolve();
  #isDraining = false;

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  /** Resolves when the job's records are on disk; rejects with what `prepare` or the journal threw. */
  write<T>({ prepare, apply, alone = false }: WriteJob<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({
        prepare,
        apply: (positions) => resolve(apply(positions)),
        reject,
        alone,
      });
      if (!this.#isDraining) this.#drained = this.#drain();
    });
  }

  /** Resolves when nothing waits to be written. */
  async idle(): Promise<void> {
    await this.#drained;
  }

  async #drain(): Promise<void> {
    this.#isDraining = true;
    // Those who write in the same turn of the loop share the first group too.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const alone = this.#waiting.findIndex((job) => job.alone);
      const size = alone === -1 ? GROUP_MAX_JOBS : Math.max(1, Math.min(alone, GROUP_MAX_JOBS));
      await this.#writeGroup(this.#waiting.splice(0, size));
    }
    this.#isDraining = false;
  }

  async #writeGroup(jobs: readonly Waiting[]): Promise<void> {
    const staged: Staged = {
      batches: new Set(),
      alerts: new Set(),
      groups: new Map(),
      requests: new Map(),
      tokens: new Map(),
    };
    const prepared: { job: Waiting; records: readonly Uint8Array[] }[] = [];
    for (const job of jobs) {
      try {
        prepared.push({ job, records: job.prepare(staged) });
      } catch (error) {
        job.reject(error);
      }
    }
    const records = prepared.flatMap((one) => one.records);
    try {
      const positions = records.length > 0 ? (await this.#journal.append(records)).positions : [];
      let at = 0;
      for (const { job, records: own } of prepared) {
        job.apply(positions.slice(at, at + own.length));
        at += own.length;
      }
    } catch (error) {
      for (const { job } of prepared) job.reject(error);
    }
  }
}
