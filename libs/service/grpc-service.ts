import type { ServiceDefinition } from '@grpc/grpc-js';
import type { Api } from './rpc';

/** A service to serve: what ts-proto says of it, and who does the work. */
export interface GrpcService {
  readonly definition: ServiceDefinition;
  readonly api: object;
}

/** Pairs the definition of a service with its implementation. */
export function grpcService<Definition extends ServiceDefinition>(
  definition: Definition,
  api: Api<Definition>,
): GrpcService {
  return { definition, api };
}
