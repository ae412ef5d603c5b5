import { status } from '@grpc/grpc-js';
import { RpcError } from '@auditing/service/rpc-error';
import { semaphore, type Semaphore } from '@auditing/service/semaphore';

/** Queries that work at once: each holds its rows, a part of its answer and a few expanded blocks, some 20 MB at most. */
const RUNNING_MAX = 8;
/**
 * Queries that have begun and not ended: those that work, those that wait for their turn, and streams whose reader is slow,
 * which hold a message, the next one and the rows of a page: 2 to 6 MB. Beyond it queries are refused.
 */
const OPEN_MAX = 72;
/** Of these, of one connection: whoever opens streams and does not read them must not keep all others out. */
const OPEN_OF_CONNECTION_MAX = 48;
/** Searches with a large offset that are open at once: each holds up to 2 million rows, some 150 MB. */
const DEEP_MAX = 1;
/** Facets that count at once: each holds up to FACET_VALUES_MAX values, some 100 MB while they are sorted. */
const FACETS_MAX = 2;

/** Lets queries work a few at a time. */
export class QueryTurns {
  readonly #turns = semaphore(RUNNING_MAX);
  readonly #facets = semaphore(FACETS_MAX);
  readonly #ofConnection = new Map<string, number>();
  #openCount = 0;
  #deepCount = 0;

  /** The turns of the queries of a connection; undefined: of this process, which has no limit of its own. */
  of(connection: string | undefined): TurnsOfConnection {
    return {
      run: (signal, query) => this.#open(connection, () => inTurn(this.#turns, signal, query)),
      runFacets: (signal, query) =>
        this.#open(connection, () =>
          inTurn(this.#facets, signal, () => inTurn(this.#turns, signal, query)),
        ),
      stream: (signal, query) => this.#stream(connection, signal, query),
      streamDeep: (signal, query) => this.#deep(this.#stream(connection, signal, query)),
    };
  }

  async #open<T>(connection: string | undefined, work: () => Promise<T>): Promise<T> {
    this.#enter(connection);
    try {
      return await work();
    } finally {
      this.#leave(connection);
    }
  }

  async *#stream<T>(
    connection: string | undefined,
    signal: AbortSignal,
    query: () => AsyncIterable<T>,
  ): AsyncIterable<T> {
    this.#enter(connection);
    try {
      const messages = query()[Symbol.asyncIterator]();
      try {
        for (;;) {
          const next = await inTurn(this.#turns, signal, () => messages.next());
          if (next.done === true) return;
          // Without a turn: how long this takes is up to the reader.
          yield next.value;
        }
      } finally {
        await messages.return?.();
      }
    } finally {
      this.#leave(connection);
    }
  }

  async *#deep<T>(stream: AsyncIterable<T>): AsyncIterable<T> {
    if (this.#deepCount >= DEEP_MAX) {
      throw new RpcError(
        status.RESOURCE_EXHAUSTED,
        'another search with a large offset is open; go on with the cursor of the page before, or ask again later',
      );
    }
    this.#deepCount += 1;
    try {
      yield* stream;
    } finally {
      this.#deepCount -= 1;
    }
  }

  #enter(connection: string | undefined): void {
    if (this.#openCount >= OPEN_MAX) {
      throw new RpcError(
        status.RESOURCE_EXHAUSTED,
        `${OPEN_MAX} queries are working, waiting or being read; ask again later`,
      );
    }
    if (connection !== undefined) {
      const count = this.#ofConnection.get(connection) ?? 0;
      if (count >= OPEN_OF_CONNECTION_MAX) {
        throw new RpcError(
          status.RESOURCE_EXHAUSTED,
          `${OPEN_OF_CONNECTION_MAX} queries of this connection are working, waiting or being read; ` +
            'read or cancel those that are open, or ask again later',
        );
      }
      this.#ofConnection.set(connection, count + 1);
    }
    this.#openCount += 1;
  }

  #leave(connection: string | undefined): void {
    this.#openCount -= 1;
    if (connection === undefined) return;
    const count = (this.#ofConnection.get(connection) ?? 1) - 1;
    if (count === 0) this.#ofConnection.delete(connection);
    else this.#ofConnection.set(connection, count);
  }
}

/** How the queries of a connection come to work. All reject with RESOURCE_EXHAUSTED if too many are open. */
export interface TurnsOfConnection {
  /** Runs a query when it is its turn. */
  readonly run: <T>(signal: AbortSignal, query: () => Promise<T>) => Promise<T>;
  /** The same for one that counts values. */
  readonly runFacets: TurnsOfConnection['run'];
  /** The same for a query that answers with a stream: each message has a turn, and none while its reader is slow. */
  readonly stream: <T>(signal: AbortSignal, query: () => AsyncIterable<T>) => AsyncIterable<T>;
  /** The same for a search that passes over so many rows that few of its kind fit into memory. */
  readonly streamDeep: TurnsOfConnection['stream'];
}

async function inTurn<T>(
  turns: Semaphore,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  await turns.take(signal);
  try {
    return await work();
  } finally {
    turns.give();
  }
}
