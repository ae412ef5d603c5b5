import { setMaxListeners } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';

import { status } from '@grpc/grpc-js';
import { RpcError } from '@auditing/service/rpc-error';
import { cancelled } from '@auditing/service/wait';

/** How long a query works before others get a turn: health checks and appends go on. */
const TURN_MS = 5;

/** Keeps one query within its time and lets others have their turns. */
export class Pace {
  readonly #endsAt: number;
  #turnEndsAt = performance.now() + TURN_MS;

  constructor(
    readonly limitMs: number,
    readonly signal: AbortSignal,
  ) {
    this.#endsAt = performance.now() + limitMs;
    // Many pieces of work of one query wait for the same signal.
    setMaxListeners(0, signal);
  }

  /**
   * Call it between pieces of work of less than a millisecond.
   *
   * @throws CANCELLED if the caller gave up, DEADLINE_EXCEEDED after the limit.
   */
  async breathe(): Promise<void> {
    if (performance.now() >= this.#turnEndsAt) {
      await nextTurn();
      this.#turnEndsAt = performance.now() + TURN_MS;
    }
    if (this.signal.aborted) throw cancelled();
    if (performance.now() > this.#endsAt) {
      throw new RpcError(
        status.DEADLINE_EXCEEDED,
        `the query took longer than ${this.limitMs} ms; ask for a shorter time or more conditions, ` +
          'or raise AUDITING_QUERY_TIMEOUT',
      );
    }
  }
}
