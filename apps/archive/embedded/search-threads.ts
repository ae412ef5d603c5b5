import { Worker } from 'node:worker_threads';

import { semaphore, type Semaphore } from '@auditing/service/semaphore';
import type { Logger } from 'pino';

import {
  DamagedRecordError,
  fittingEvents,
  type EventSearch,
  type RecordToSearch,
} from './event-search';
import type { Pace } from './pace';
import {
  handedOver,
  READY,
  type HandedOver,
  type SearchAnswer,
  type SearchFindings,
} from './search-task';

/** How threads are started. */
export interface SearchThreadsOptions {
  /** The program of a thread: search-thread.ts, bundled. */
  readonly script: URL;
  /** How many; 0: none, and the search is done where it is asked for. */
  readonly count: number;
  /** They end when nothing was searched for so long, and start anew with the next search. Default: IDLE_MS. */
  readonly idleMs?: number;
  readonly log: Pick<Logger, 'warn'>;
}

/** Two threads and what they leave in malloc's arenas take 40 to 80 MiB; to start them again takes a fraction of a second. */
const IDLE_MS = 30_000;

/** Events that fit, or the damage of their record. */
export type Found = readonly number[] | DamagedRecordError;

/** Without threads: one task is read and one expanded while another is searched. */
const TURNS_MIN = 3;

/**
 * Threads that look through events for text: the loop of this one stays free for appends. They start with the first search,
 * which is done here until they are ready, and end when there was none for a while. When one fails, its work is done here, as all is once none is left.
 */
export class SearchThreads {
  readonly #options: SearchThreadsOptions;
  /** Tasks under way: one for each thread, and one that is read meanwhile. More would only take memory. */
  readonly #turns: Semaphore;
  #threads: Thread[] | undefined;
  /** Searches that wait or are under way. */
  #searchCount = 0;
  #idle: NodeJS.Timeout | undefined;
  #ending: Promise<unknown> = Promise.resolve();
  #nextId = 0;

  constructor(options: SearchThreadsOptions) {
    this.#options = options;
    this.#turns = semaphore(Math.max(TURNS_MIN, options.count + 1));
  }

  /**
   * Looks through records when it is their turn; `load` reads them, into memory that nobody else uses,
   * and once more if their thread fails.
   *
   * @throws CANCELLED or DEADLINE_EXCEEDED as Pace says, what `load` throws, and what the search itself throws but for damage.
   */
  async find(
    search: EventSearch,
    load: () => Promise<readonly RecordToSearch[]>,
    pace: Pace,
  ): Promise<readonly Found[]> {
    this.#searchCount += 1;
    clearTimeout(this.#idle);
    try {
      await pace.breathe();
      await this.#turns.take(pace.signal);
      return await this.#findNow(search, load, pace);
    } finally {
      this.#searchCount -= 1;
      if (this.#searchCount === 0) this.#endWhenIdle();
    }
  }

  /** It is its turn. */
  async #findNow(
    search: EventSearch,
    load: () => Promise<readonly RecordToSearch[]>,
    pace: Pace,
  ): Promise<readonly Found[]> {
    try {
      await pace.breathe();
      this.#start();
      const records = await load();
      // Chosen when there is something to ask: a thread may end, or become busy, while records are read.
      const thread = this.#idlest();
      const found = thread && (await this.#ask(thread, search, records));
      if (found !== undefined) return found;
      // A thread that failed has taken the records with it.
      return await findHere(search, thread === undefined ? records : await load(), pace);
    } finally {
      this.#turns.give();
    }
  }

  /** Threads that are ready. */
  get readyCount(): number {
    return this.#threads?.filter(({ isReady }) => isReady).length ?? 0;
  }

  /** Ends the threads. */
  async close(): Promise<void> {
    clearTimeout(this.#idle);
    const threads = this.#threads ?? [];
    // A search that still comes is done here, and starts none.
    this.#threads = [];
    await Promise.all([this.#ending, ...threads.map((thread) => thread.close())]);
  }

  #endWhenIdle(): void {
    this.#idle = setTimeout(() => {
      const threads = this.#threads ?? [];
      // All failed, or all is closed: the next search is not to start any.
      if (threads.length === 0) return;
      this.#threads = undefined;
      this.#ending = Promise.all([this.#ending, ...threads.map((thread) => thread.close())]);
    }, this.#options.idleMs ?? IDLE_MS).unref();
  }

  #start(): void {
    const { count, script } = this.#options;
    this.#threads ??= Array.from(
      { length: count },
      () => new Thread(script, (failed, err) => this.#drop(failed, err)),
    );
  }

  #idlest(): Thread | undefined {
    return this.#threads
      ?.filter(({ isReady }) => isReady)
      .reduce<Thread | undefined>(
        (idlest, thread) => (idlest && idlest.busyCount <= thread.busyCount ? idlest : thread),
        undefined,
      );
  }

  #drop(failed: Thread, err: unknown): void {
    const left = (this.#threads ?? []).filter((thread) => thread !== failed);
    this.#threads = left;
    this.#options.log.warn(
      { err, threadsLeft: left.length },
      'a search thread failed; without any, text is searched in the main thread until a restart',
    );
  }

  /** Undefined if the thread failed. */
  async #ask(
    thread: Thread,
    search: EventSearch,
    records: readonly RecordToSearch[],
  ): Promise<readonly Found[] | undefined> {
    this.#nextId += 1;
    const found = await thread.ask(handedOver({ id: this.#nextId, search, records }));
    return found?.map((one) => (typeof one === 'string' ? new DamagedRecordError(one) : one));
  }
}

async function findHere(
  search: EventSearch,
  records: readonly RecordToSearch[],
  pace: Pace,
): Promise<readonly Found[]> {
  const found: Found[] = [];
  for (const record of records) {
    await pace.breathe();
    found.push(
      await fittingEvents(search, record).catch((error: unknown) => {
        if (error instanceof DamagedRecordError) return error;
        throw error;
      }),
    );
  }
  return found;
}

/** Who waits for an answer. */
interface Asker {
  readonly resolve: (found: SearchFindings | undefined) => void;
  readonly reject: (error: Error) => void;
}

/** The thread ended before it answered. */
interface Unanswered {
  readonly id: number;
  readonly found: undefined;
}

/** A thread, and the questions that it has not answered. */
class Thread {
  readonly #worker: Worker;
  readonly #asked = new Map<number, Asker>();
  readonly #exited: Promise<void>;
  #isClosing = false;
  /** Loading its program takes a while, in which searches need not wait for it. */
  isReady = false;

  constructor(script: URL, onFailed: (thread: Thread, err: unknown) => void) {
    const worker = new Worker(script);
    this.#worker = worker;
    worker.on('message', (message: SearchAnswer | typeof READY) => {
      if (message === READY) this.isReady = true;
      else this.#answered(message);
    });
    let failure: unknown;
    worker.on('error', (err) => (failure = err));
    this.#exited = new Promise((resolve) => {
      worker.on('exit', (code) => {
        if (!this.#isClosing) onFailed(this, failure ?? new Error(`exit code ${code}`));
        for (const id of [...this.#asked.keys()]) this.#answered({ id, found: undefined });
        resolve();
      });
    });
    // While it has nothing to do it must not keep a process alive. After the listeners, which would.
    worker.unref();
  }

  get busyCount(): number {
    return this.#asked.size;
  }

  /** Undefined if the thread ended before it answered; rejects if the search failed in it. */
  ask({ task, memory }: HandedOver): Promise<SearchFindings | undefined> {
    return new Promise((resolve, reject) => {
      this.#asked.set(task.id, { resolve, reject });
      this.#worker.ref();
      this.#worker.postMessage(task, memory);
    });
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    // Not terminated: the native zstd may be at work for it.
    this.#worker.postMessage(undefined);
    this.#worker.ref();
    await this.#exited;
  }

  #answered(answer: SearchAnswer | Unanswered): void {
    const asker = this.#asked.get(answer.id);
    this.#asked.delete(answer.id);
    if (this.#asked.size === 0) this.#worker.unref();
    if ('found' in answer) asker?.resolve(answer.found);
    else asker?.reject(new Error('the search failed in its thread', { cause: answer.failure }));
  }
}
