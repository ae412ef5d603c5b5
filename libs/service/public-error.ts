import { status } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { RpcError } from './rpc-error';

/**
 * gRPC carries the text in a header, and peers refuse headers over 8 KiB; percent-encoding can triple it.
 */
const MAX_TEXT = 2_000;

/**
 * What a caller may see of an error: an RpcError as it is, anything else as INTERNAL without its text. The latter is
 * a bug, and logged here, once, with all there is.
 */
export function publicError(error: unknown, log: Logger): RpcError {
  if (!(error instanceof RpcError)) {
    log.error({ err: error }, 'call failed unexpectedly');
    return new RpcError(status.INTERNAL, 'internal error; the log of the service has the cause');
  }
  if (error.message.length <= MAX_TEXT) return error;
  return new RpcError(error.code, `${error.message.slice(0, MAX_TEXT)}…`);
}
