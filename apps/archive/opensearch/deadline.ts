import { setMaxListeners } from 'node:events';

import { status } from '@grpc/grpc-js';
import { RpcError } from '@auditing/service/rpc-error';
import { cancelled } from '@auditing/service/wait';

import { asRpcError } from './as-rpc-error';

/** Keeps one query within its time. */
export interface Deadline {
  /** Aborts when the caller gives up, or the time is over. */
  readonly signal: AbortSignal;
  /** What an error of the query is to its caller: DEADLINE_EXCEEDED, CANCELLED, or what OpenSearch said. */
  readonly explain: (error: unknown) => unknown;
  /** Ends the watch over the time. */
  readonly end: () => void;
}

/** Begins the time of a query. */
export function deadline(limitMs: number, caller: AbortSignal): Deadline {
  const over = new AbortController();
  const timer = setTimeout(() => over.abort(), Math.max(0, limitMs));
  if (limitMs <= 0) over.abort();
  const signal = AbortSignal.any([caller, over.signal]);
  // Every request of the query listens to it.
  setMaxListeners(0, signal);
  return {
    signal,
    explain(error) {
      if (caller.aborted) return cancelled();
      if (!over.signal.aborted) return asRpcError(error);
      return new RpcError(
        status.DEADLINE_EXCEEDED,
        `the query took longer than ${limitMs} ms; ask for a shorter time or more conditions, ` +
          'or raise AUDITING_QUERY_TIMEOUT',
      );
    },
    end: () => clearTimeout(timer),
  };
}
