import { logVerbosity, Server, ServerCredentials, setLogVerbosity } from '@grpc/grpc-js';
import {
  HealthCheckResponse_ServingStatus as ServingStatus,
  HealthService,
  type HealthCheckRequest,
  type HealthCheckResponse,
} from '@auditing/proto/health';

/** A readiness question that takes longer is answered with no: the kubelet asks again. */
const READY_TIMEOUT_MS = 2_000;

/** What the probe port serves. */
export interface ProbeOptions {
  /** `host:port`. */
  readonly listen: string;
  /** Rejects while the app is not ready. */
  readonly ready: () => Promise<void>;
}

/**
 * Serves `grpc.health.v1` without TLS, and nothing else: a kubelet has no client certificate, so it cannot ask the ports
 * that demand one. `liveness`, like the empty name, is SERVING while the process runs; `readiness` asks what the app needs
 * to do its work, as `/readyz` does.
 *
 * @throws Error if the address cannot be listened on.
 */
export async function probeServer({
  listen,
  ready,
}: ProbeOptions): Promise<{ readonly port: number; readonly close: () => void }> {
  // grpc-js writes to the console what it also says in errors.
  setLogVerbosity(logVerbosity.NONE);
  const server = new Server();
  const isReady = (): Promise<boolean> =>
    Promise.race([
      ready().then(
        () => true,
        () => false,
      ),
      new Promise<boolean>((resolve) => {
        setTimeout(() => resolve(false), READY_TIMEOUT_MS).unref();
      }),
    ]);
  const check = async ({ service }: HealthCheckRequest): Promise<HealthCheckResponse> => {
    if (service === '' || service === 'liveness') return { status: ServingStatus.SERVING };
    if (service !== 'readiness') return { status: ServingStatus.SERVICE_UNKNOWN };
    return {
      status: (await isReady()) ? ServingStatus.SERVING : ServingStatus.NOT_SERVING,
    };
  };
  // Probes use Check alone; the other methods answer UNIMPLEMENTED.
  server.addService(
    { check: HealthService.check },
    {
      check(
        call: { request: HealthCheckRequest },
        answer: (error: null, response: HealthCheckResponse) => void,
      ) {
        void check(call.request).then((response) => answer(null, response));
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(listen, ServerCredentials.createInsecure(), (error, bound) => {
      if (!error) resolve(bound);
      else
        reject(
          new Error(`AUDITING_PROBE_LISTEN: cannot listen on ${listen}: ${error.message}`, {
            cause: error,
          }),
        );
    });
  });
  return { port, close: () => server.forceShutdown() };
}
