import { status } from '@grpc/grpc-js';
import { RpcError } from '@auditing/service/rpc-error';

/** What a caller of a restricted service gets from calls that show or change more than its scope. */
export function notForCallers(): RpcError {
  return new RpcError(status.PERMISSION_DENIED, 'this call takes the right to see all events');
}

/** The same as a stream. */
export async function* streamNotForCallers(): AsyncGenerator<never> {
  yield await Promise.reject(notForCallers());
}
