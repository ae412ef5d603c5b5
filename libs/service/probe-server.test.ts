import {
  HealthCheckResponse_ServingStatus as ServingStatus,
  HealthService,
} from '@auditing/proto/health';
import { grpcClient } from './grpc-client';
import { INSECURE } from './grpc-tls';
import { probeServer } from './probe-server';

const never = new AbortController().signal;

async function probed(ready: () => Promise<void>, service: string): Promise<ServingStatus> {
  const server = await probeServer({ listen: '127.0.0.1:0', ready });
  const client = grpcClient(HealthService, `127.0.0.1:${server.port}`, { credentials: INSECURE });
  try {
    return (await client.api.check({ service }, never)).status;
  } finally {
    client.close();
    server.close();
  }
}

const notReady = (): Promise<void> => Promise.reject(new Error('starting'));

test.each([
  ['readiness', () => Promise.resolve(), ServingStatus.SERVING],
  ['readiness', notReady, ServingStatus.NOT_SERVING],
  ['liveness', notReady, ServingStatus.SERVING],
  ['', notReady, ServingStatus.SERVING],
  ['something', notReady, ServingStatus.SERVICE_UNKNOWN],
])('a probe of %p is answered', async (service, ready, expected) => {
  expect(await probed(ready, service)).toBe(expected);
});

test('a port that is taken stops the start, and the setting is named', async () => {
  const server = await probeServer({ listen: '127.0.0.1:0', ready: notReady });
  const listen = `127.0.0.1:${server.port}`;
  await expect(probeServer({ listen, ready: notReady })).rejects.toThrow('AUDITING_PROBE_LISTEN');
  server.close();
});
