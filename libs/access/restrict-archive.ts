import { status } from '@grpc/grpc-js';
import { Query, type ArchiveServiceService, type Scope } from '@auditing/proto/archive';
import type { Api } from '@auditing/service/rpc';
import { RpcError } from '@auditing/service/rpc-error';
import { inScope } from './in-scope';
import { notForCallers, streamNotForCallers } from './not-for-callers';

type Archive = Api<typeof ArchiveServiceService>;

/** A request that says which events. */
interface Asking {
  readonly query?: Query | undefined;
}

/**
 * The archive as somebody sees it who may see this scope alone. Every method is listed: a new one does not compile before
 * somebody has thought about it.
 */
export function restrictArchive(archive: Archive, scope: Scope): Archive {
  const within = <Request extends Asking>(request: Request): Request => ({
    ...request,
    query: { ...(request.query ?? Query.create()), scope },
  });
  return {
    append: () => Promise.reject(notForCallers()),
    appendStream: () => streamNotForCallers(),
    search: (request, signal) => archive.search(within(request), signal),
    async get(request, signal) {
      const event = await archive.get(request, signal);
      if (inScope(event, scope)) return event;
      // In the words for a key that does not exist: whether it does is not theirs to know.
      const key = request.key.toString('hex');
      throw new RpcError(
        status.NOT_FOUND,
        `no event has the key ${key}; retention may have removed it`,
      );
    },
    statistics: (request, signal) => archive.statistics(within(request), signal),
    histogram: (request, signal) => archive.histogram(within(request), signal),
    facets: (request, signal) => archive.facets(within(request), signal),
    tail: (request, signal) => archive.tail(within(request), signal),
    export: (request, signal) => archive.export(within(request), signal),
    objectHistory: (request, signal) => archive.objectHistory(within(request), signal),
    verify: () => streamNotForCallers(),
    stats: () => Promise.reject(notForCallers()),
  };
}
