import { admission } from '@auditing/access/admission';
import { openAccess } from '@auditing/access/open-access';
import { GatewayServiceService } from '@auditing/proto/gateway';
import { serveGrpc } from '@auditing/service/grpc-server';
import { grpcService } from '@auditing/service/grpc-service';
import type { GrpcCredentials } from '@auditing/service/grpc-tls';
import type { Api } from '@auditing/service/rpc';
import type { Context } from '@auditing/service/service';
import type { GatewayProcessConfig } from './config';

/** Serves the gateway's gRPC for tools. Gives the address. */
export async function serveTools(
  api: Api<typeof GatewayServiceService>,
  credentials: GrpcCredentials,
  context: Context<GatewayProcessConfig>,
): Promise<string> {
  const { access, grpc } = context.config;
  const isAllowed = await openAccess(access, credentials.isSecure, context);
  return serveGrpc(context, {
    ...grpc,
    credentials,
    admit: admission(isAllowed),
    services: [grpcService(GatewayServiceService, api)],
  });
}
