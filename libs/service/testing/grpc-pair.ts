import { setMaxListeners } from 'node:events';
import { RuleServiceService } from '@auditing/proto/rule';
import { grpcClient } from '../grpc-client';
import { admitAll } from './admit-all';
import { serveGrpc } from '../grpc-server';
import { grpcService } from '../grpc-service';
import { INSECURE } from '../grpc-tls';
import { RpcError } from '../rpc-error';
import type { Api } from '../rpc';
import { wait } from '../wait';
import { testRuntime, type TestRuntime } from './runtime';

/** A service with methods of all kinds, to try the transport with. */
export type RuleApi = Api<typeof RuleServiceService>;

/** Never aborts. */
export const never = new AbortController().signal;
setMaxListeners(0, never);

/** A method that a test does not expect to be called. */
export const unused = (): never => {
  throw new Error('not part of this test');
};

/** Servers and clients over real sockets. */
export interface GrpcPair {
  readonly runtime: TestRuntime;
  /** What was logged. */
  readonly logged: readonly Record<string, unknown>[];
  /** Serves these methods; gives the address. */
  readonly serve: (methods: Partial<RuleApi>, listen?: string) => Promise<string>;
  readonly client: (target: string, deadlineMs?: number) => RuleApi;
  /** Ends clients and servers. */
  readonly end: () => Promise<void>;
}

/** A new pair; `afterEach(() => pair.end())`. */
export function grpcPair(): GrpcPair {
  const logged: Record<string, unknown>[] = [];
  const runtime = testRuntime((line) => logged.push(line));
  const closers: (() => void)[] = [];
  return {
    runtime,
    logged,
    serve(methods, listen = '127.0.0.1:0') {
      const api: RuleApi = {
        evaluate: unused,
        evaluateStream: unused,
        watch: unused,
        getRuleSet: unused,
        listRules: unused,
        check: unused,
        explain: unused,
        test: unused,
        ...methods,
      };
      return serveGrpc(runtime, {
        listen,
        credentials: INSECURE,
        services: [grpcService(RuleServiceService, api)],
        maxConnectionAgeMs: 0,
        admit: admitAll,
      });
    },
    client(target, deadlineMs = 60_000) {
      const client = grpcClient(RuleServiceService, target, { credentials: INSECURE, deadlineMs });
      closers.push(client.close);
      return client.api;
    },
    async end() {
      for (const close of closers) close();
      await runtime.stop();
    },
  };
}

/** The RpcError that a promise rejects with. */
export async function failure(promise: Promise<unknown>): Promise<RpcError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof RpcError) return error;
  throw new Error('expected an RpcError', { cause: error });
}

/** Waits until something is so, at most a minute: it only ends what hangs. */
export async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition(); tries += 1) {
    if (tries > 6_000) throw new Error('the condition did not come true within a minute');
    await wait(10, never);
  }
}
