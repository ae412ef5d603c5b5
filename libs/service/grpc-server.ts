import { logVerbosity, Server, setLogVerbosity, type UntypedHandleCall } from '@grpc/grpc-js';
import type { Admit } from './grpc-admission';
import { grpcHandler, type HandlerContext } from './grpc-handlers';
import { healthService } from './grpc-health';
import { COMMON_OPTIONS } from './grpc-limits';
import { reflectionServices } from './grpc-reflection';
import type { GrpcService } from './grpc-service';
import type { GrpcCredentials } from './grpc-tls';
import { rpcMetrics } from './rpc-metrics';
import type { Runtime } from './service';
import { duration } from './setting-parsers';

/** Setting of how long a connection lives. */
export const GRPC_CONNECTION_AGE_SETTING = {
  variable: 'AUDITING_GRPC_MAX_CONNECTION_AGE',
  parser: duration,
  fallback: '5m',
  description:
    'After this time the server asks a client to connect anew. Clients look up addresses only then, so it is also how long a new replica can wait for calls. 0: never.',
} as const;

/** For what is open on a connection that is being replaced: twice the age at which clients renew their streams. */
const CONNECTION_GRACE_MS = 120_000;
/** How long a stopping server waits for calls in flight; less than the stop deadline of run.ts. */
const STOP_GRACE_MS = 10_000;
/** Probes and tools open a handful of calls, the gateway three streams; more is a client gone wild. */
const MAX_CONCURRENT_STREAMS = 1_000;

/** What to serve, and where. */
export interface GrpcServerOptions {
  /** `host:port`; port 0 picks a free one. */
  readonly listen: string;
  readonly credentials: GrpcCredentials;
  readonly services: readonly GrpcService[];
  /** Asked before each call, health and reflection included. */
  readonly admit: Admit;
  /** 0 for no limit. */
  readonly maxConnectionAgeMs: number;
}

/**
 * Serves gRPC, with `grpc.health.v1` and server reflection beside the given services, and closes itself when the
 * app stops: streams end at `stopping`, unary calls finish, idle clients are sent away.
 *
 * An RpcError reaches the caller as it is; any other error as INTERNAL without its text, and the log has it.
 *
 * @returns the address it listens on, `host:port`.
 * @throws Error if the address is not loopback and there is no TLS, or cannot be listened on.
 */
export async function serveGrpc(runtime: Runtime, options: GrpcServerOptions): Promise<string> {
  const { listen, credentials, maxConnectionAgeMs } = options;
  if (!credentials.isSecure && !isLoopback(listen)) {
    throw new Error(
      `AUDITING_GRPC_LISTEN: without TLS only a loopback address may be listened on, got ${listen}: ` +
        'set AUDITING_GRPC_TLS_CERT, AUDITING_GRPC_TLS_KEY and AUDITING_GRPC_TLS_CA, or listen on 127.0.0.1',
    );
  }
  // grpc-js writes to the console what it also says in errors and status codes.
  setLogVerbosity(logVerbosity.NONE);
  const server = new Server({
    ...COMMON_OPTIONS,
    'grpc.max_concurrent_streams': MAX_CONCURRENT_STREAMS,
    ...(maxConnectionAgeMs > 0 && {
      'grpc.max_connection_age_ms': maxConnectionAgeMs,
      'grpc.max_connection_age_grace_ms': CONNECTION_GRACE_MS,
    }),
  });
  const names = options.services.map(({ definition }) => serviceName(definition));
  const all = [
    ...options.services,
    healthService(names, runtime.draining),
    ...reflectionServices(names),
  ];
  const context: HandlerContext = {
    log: runtime.log,
    metrics: rpcMetrics(runtime.metrics),
    stopping: runtime.stopping,
    admit: options.admit,
  };
  for (const service of all) addService(server, service, context);
  const boundPort = await bind(server, listen, credentials);
  runtime.closeLater('gRPC server', () => shutDown(server));
  return listen.replace(/:\d+$/, `:${boundPort}`);
}

function addService(
  server: Server,
  { definition, api }: GrpcService,
  context: HandlerContext,
): void {
  const handlers: Record<string, UntypedHandleCall> = {};
  for (const [name, method] of Object.entries(definition)) {
    const work = (api as Record<string, unknown>)[name];
    if (typeof work !== 'function') throw new Error(`${method.path} is not implemented`);
    handlers[name] = grpcHandler({ method, name, api }, context);
  }
  server.addService(definition, handlers);
}

/** `auditing.v1.RuleService` of `/auditing.v1.RuleService/Evaluate`. */
function serviceName(definition: GrpcService['definition']): string {
  return Object.values(definition)[0]?.path.split('/')[1] ?? '';
}

function isLoopback(listen: string): boolean {
  return /^(127(\.\d{1,3}){3}|localhost|\[::1\]):\d+$/.test(listen);
}

function bind(
  server: Server,
  listen: string,
  { server: credentials }: GrpcCredentials,
): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(listen, credentials, (error, boundPort) => {
      if (error)
        reject(new Error(`AUDITING_GRPC_LISTEN: cannot listen on ${listen}`, { cause: error }));
      else resolve(boundPort);
    });
  });
}

/** Idle clients hold their connection open: it is closed from here; after the grace whatever calls are left, too. */
function shutDown(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => server.forceShutdown(), STOP_GRACE_MS);
    server.tryShutdown(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
