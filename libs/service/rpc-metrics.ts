import { status } from '@grpc/grpc-js';
import { Counter, Histogram, type Registry } from 'prom-client';

/** Counts and times of calls. Labels are method paths of the definitions and names of status codes: closed lists. */
export interface RpcMetrics {
  /** Call it when a call begins; call what it returns when the call ends. */
  readonly begin: (method: string) => (code: status) => void;
}

/** From a verdict out of memory to a batch that waits for its disk, in seconds. */
const BUCKETS = [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 30];

/** The metrics of every gRPC server of this process, on one registry. */
export function rpcMetrics(registry: Registry): RpcMetrics {
  const calls =
    (registry.getSingleMetric('auditing_rpc_calls_total') as
      Counter<'method' | 'code'> | undefined) ??
    new Counter({
      name: 'auditing_rpc_calls_total',
      help: 'Calls that ended, by method and status code. A stream counts once.',
      labelNames: ['method', 'code'],
      registers: [registry],
    });
  const seconds =
    (registry.getSingleMetric('auditing_rpc_call_seconds') as Histogram<'method'> | undefined) ??
    new Histogram({
      name: 'auditing_rpc_call_seconds',
      help: 'Time from the beginning of a call to its end, by method. A stream counts once, at its end.',
      labelNames: ['method'],
      buckets: BUCKETS,
      registers: [registry],
    });
  return {
    begin(method) {
      const stop = seconds.startTimer({ method });
      return (code) => {
        stop();
        calls.inc({ method, code: status[code] });
      };
    },
  };
}
