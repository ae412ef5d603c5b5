import { status } from '@grpc/grpc-js';

/**
 * An error that leaves a service as it is: its code and message reach the caller. Any other error leaves as
 * INTERNAL without its text and is logged in full, once.
 *
 * `message` says what was expected, what came, where, and what to do.
 */
export class RpcError extends Error {
  override readonly name = 'RpcError';

  constructor(
    readonly code: status,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** Codes after which the same call can succeed later. Every other code is final. */
const RETRYABLE: ReadonlySet<status> = new Set([
  status.UNAVAILABLE,
  status.RESOURCE_EXHAUSTED,
  status.DEADLINE_EXCEEDED,
  status.ABORTED,
  status.CANCELLED,
  status.UNAUTHENTICATED,
  status.PERMISSION_DENIED,
]);

/**
 * True if the same call can succeed later. UNAUTHENTICATED and PERMISSION_DENIED count among these: they are
 * a fault of the set-up, and an event must not be lost to one. An error that is no RpcError is a bug and final.
 */
export function isRetryable(error: unknown): boolean {
  return error instanceof RpcError && RETRYABLE.has(error.code);
}
