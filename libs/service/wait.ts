import { status } from '@grpc/grpc-js';
import { RpcError } from './rpc-error';

/** Waits; rejects with CANCELLED as soon as the signal aborts. */
export function wait(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(cancelled());
      return;
    }
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(cancelled());
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    signal.addEventListener('abort', onAbort, { once: true });
  });
}

/** The error of a call or wait that its caller gave up. */
export function cancelled(): RpcError {
  return new RpcError(status.CANCELLED, 'the caller gave up');
}
