import { status } from '@grpc/grpc-js';
import { retry, type Backoff } from '@auditing/service/retry';
import { isRetryable, RpcError } from '@auditing/service/rpc-error';
import type { Logger } from 'pino';
import { FinalError } from './bisect';
import type { PipelineMetrics } from './pipeline-metrics';

/** The services that the pipeline calls. */
export type PeerName = 'rule' | 'archive' | 'alert';

/** Short, because a spool fills while we wait; with full jitter. */
export const BACKOFF: Backoff = { initialMs: 100, maxMs: 5_000 };

/**
 * How often a request is sent that is answered RESOURCE_EXHAUSTED. The code means "later", but gRPC uses it for a message
 * over the limit too, which no waiting makes smaller.
 */
const EXHAUSTED_MAX = 5;

/** A service that may be away for hours. */
export interface Peer {
  readonly name: PeerName;
  /** Why the last call failed; undefined while calls succeed. */
  readonly failure: unknown;
  /**
   * Calls until it is answered: an error that can pass is waited out, however long it takes. Rejects with FinalError
   * if the request will never be taken, with CANCELLED when the signal aborts.
   */
  call<T>(step: () => Promise<T>, signal: AbortSignal): Promise<T>;
}

/** Counts and logs how calls to a service fare. */
export function openPeer(
  name: PeerName,
  { log, metrics }: { readonly log: Logger; readonly metrics: PipelineMetrics },
): Peer {
  let failure: unknown;
  const failed = (error: unknown): void => {
    metrics.retries.inc({ service: name });
    if (failure === undefined) log.warn({ err: error, service: name }, 'service began to fail');
    failure = error;
  };
  const answered = (): void => {
    if (failure !== undefined) log.info({ service: name }, 'service ceased to fail');
    failure = undefined;
  };
  return {
    name,
    get failure() {
      return failure;
    },
    async call(step, signal) {
      let exhausted = 0;
      const once = async (): Promise<Awaited<ReturnType<typeof step>>> => {
        try {
          return await step();
        } catch (error) {
          if (error instanceof RpcError && error.code === status.RESOURCE_EXHAUSTED) exhausted += 1;
          if (exhausted < EXHAUSTED_MAX) throw error;
          throw new FinalError(error);
        }
      };
      try {
        const result = await retry(once, { signal, backoff: BACKOFF, onRetry: failed });
        answered();
        return result;
      } catch (error) {
        if (signal.aborted || error instanceof FinalError) throw error;
        // It was answered, if only with a refusal.
        if (error instanceof RpcError) answered();
        throw isRetryable(error) ? error : new FinalError(error);
      }
    },
  };
}
