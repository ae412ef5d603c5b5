import type { GrpcService } from './grpc-service';

/** Server reflection, v1 and v1alpha. */
export function reflectionServices(): readonly GrpcService[] {
  return [];
}
