import { status } from '@grpc/grpc-js';
import type { AlertServiceService } from '@auditing/proto/alert';
import type { ArchiveServiceService, Scope } from '@auditing/proto/archive';
import type { Admit } from '@auditing/service/grpc-admission';
import type { Api } from '@auditing/service/rpc';
import { RpcError } from '@auditing/service/rpc-error';
import type { Access } from './access';
import { RPC_NEEDS } from './needs';
import { restrictAlert } from './restrict-alert';
import { restrictArchive } from './restrict-archive';

/** Lets gRPC calls in by their need, and shows callers what they may see. */
export function admission(access: Access): Admit {
  return async ({ path, caller, api }) => {
    const need = RPC_NEEDS[path];
    if (need === undefined) {
      throw new RpcError(status.PERMISSION_DENIED, `nothing says who may call ${path}`);
    }
    const { scope } = await access(need, caller);
    return scope === undefined ? api : restricted(path, api, scope);
  };
}

function restricted(path: string, api: object, scope: Scope): object {
  switch (path.slice(0, path.lastIndexOf('/') + 1)) {
    case '/auditing.v1.ArchiveService/':
      return restrictArchive(api as Api<typeof ArchiveServiceService>, scope);
    case '/auditing.v1.AlertService/':
      return restrictAlert(api as Api<typeof AlertServiceService>, scope);
    default:
      throw new RpcError(status.PERMISSION_DENIED, `nothing says what a caller may see of ${path}`);
  }
}
