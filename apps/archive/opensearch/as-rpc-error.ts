import { status } from '@grpc/grpc-js';
import { RpcError } from '@auditing/service/rpc-error';

import { AnswerError } from './connect';

/**
 * What an error of OpenSearch is to our callers. A question that OpenSearch refuses is theirs to change; all else (no
 * room, no shard, no right) is a matter of the set-up and can pass.
 */
export function asRpcError(error: unknown): unknown {
  if (!(error instanceof AnswerError)) return error;
  const { statusCode, type, reason } = error;
  if (statusCode === 400 && !OF_THE_SET_UP.has(type)) {
    return new RpcError(
      status.INVALID_ARGUMENT,
      `OpenSearch refuses the query (${type}): ${reason}; ask with fewer or simpler conditions`,
      { cause: error },
    );
  }
  return new RpcError(status.UNAVAILABLE, `${error.message}${hint(error)}`, { cause: error });
}

/** Errors that come as 400 though nothing is wrong with the request itself. */
export const OF_THE_SET_UP: ReadonlySet<string> = new Set([
  // Such as: no room for more shards in the cluster.
  'validation_exception',
  'index_closed_exception',
  'invalid_index_name_exception',
]);

function hint({ statusCode }: AnswerError): string {
  switch (statusCode) {
    case 401:
      return '; see AUDITING_OPENSEARCH_USERNAME and AUDITING_OPENSEARCH_PASSWORD';
    case 403:
      return '; the user needs the rights that docs/opensearch.md lists, or an index is blocked because the disk is full';
    default:
      return '';
  }
}
