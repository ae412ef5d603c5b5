import { status } from '@grpc/grpc-js';
import { RpcError } from '@auditing/service/rpc-error';
import { semaphore, type Semaphore } from '@auditing/service/semaphore';

/** Queries that run at once: each holds its rows, a part of its answer and a few expanded blocks, some 20 MB at most. */
const RUNNING_MAX = 8;
/** Queries that wait for their turn; beyond it they are refused, so that no client can pile them up. */
const WAITING_MAX = 64;

/** Lets queries run a few at a time. */
export class QueryTurns {
  readonly #turns: Semaphore = semaphore(RUNNING_MAX);
  #count = 0;

  /** Runs a query when it is its turn. Rejects with RESOURCE_EXHAUSTED if too many wait. */
  async run<T>(signal: AbortSignal, query: () => Promise<T>): Promise<T> {
    await this.#enter(signal);
    try {
      return await query();
    } finally {
      this.#leave();
    }
  }

  /** The same for a query that answers with a stream: its turn lasts as long as the stream. */
  async *stream<T>(signal: AbortSignal, query: () => AsyncIterable<T>): AsyncIterable<T> {
    await this.#enter(signal);
    try {
      yield* query();
    } finally {
      this.#leave();
    }
  }

  async #enter(signal: AbortSignal): Promise<void> {
    if (this.#count >= RUNNING_MAX + WAITING_MAX) {
      throw new RpcError(
        status.RESOURCE_EXHAUSTED,
        `${RUNNING_MAX} queries are running and ${WAITING_MAX} are waiting; ask again later`,
      );
    }
    this.#count += 1;
    try {
      await this.#turns.take(signal);
    } catch (error) {
      this.#count -= 1;
      throw error;
    }
  }

  #leave(): void {
    this.#count -= 1;
    this.#turns.give();
  }
}
