import { status } from '@grpc/grpc-js';
import {
  HealthCheckResponse_ServingStatus as ServingStatus,
  HealthService,
  type HealthCheckResponse,
} from '@auditing/proto/health';
import { grpcService, type GrpcService } from './grpc-service';
import { RpcError } from './rpc-error';

/**
 * `grpc.health.v1.Health` for the given services and for the server as a whole (the empty name): SERVING until the
 * app begins to stop. What a service needs from others does not count: a pod that is restarted because another is
 * down helps nobody.
 */
export function healthService(names: readonly string[], draining: AbortSignal): GrpcService {
  const known = new Set(['', ...names]);
  const now = (): HealthCheckResponse => ({
    status: draining.aborted ? ServingStatus.NOT_SERVING : ServingStatus.SERVING,
  });
  return grpcService(HealthService, {
    check({ service }) {
      if (known.has(service)) return Promise.resolve(now());
      return Promise.reject(
        new RpcError(
          status.NOT_FOUND,
          `expected one of ${names.join(', ')} or nothing, got ${service}`,
        ),
      );
    },
    async *watch({ service }, signal) {
      if (known.has(service)) {
        yield now();
        if (!draining.aborted) {
          await firstOf(draining, signal);
          if (!signal.aborted) yield now();
        }
      } else {
        yield { status: ServingStatus.SERVICE_UNKNOWN };
      }
      // The protocol keeps the stream open until the caller ends it.
      await firstOf(signal);
    },
    list() {
      return Promise.resolve({
        statuses: Object.fromEntries([...known].map((name) => [name, now()])),
      });
    },
  });
}

function firstOf(...signals: readonly AbortSignal[]): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      for (const signal of signals) signal.removeEventListener('abort', done);
      resolve();
    };
    for (const signal of signals) {
      signal.addEventListener('abort', done);
      if (signal.aborted) done();
    }
  });
}
