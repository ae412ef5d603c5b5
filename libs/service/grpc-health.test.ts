import { status } from '@grpc/grpc-js';
import { HealthCheckResponse_ServingStatus, HealthService } from '@auditing/proto/health';
import { grpcClient } from './grpc-client';
import { INSECURE } from './grpc-tls';
import { failure, grpcPair, never, until, type GrpcPair } from './testing/grpc-pair';

let pair: GrpcPair;

beforeEach(() => {
  pair = grpcPair();
});

afterEach(() => pair.end());

describe('health', () => {
  test('is SERVING by service and in all, and NOT_FOUND for others', async () => {
    const target = await pair.serve({});
    const health = grpcClient(HealthService, target, { credentials: INSECURE });
    for (const service of ['', 'auditing.v1.RuleService']) {
      await expect(health.api.check({ service }, never)).resolves.toEqual({
        status: HealthCheckResponse_ServingStatus.SERVING,
      });
    }
    expect((await failure(health.api.check({ service: 'none' }, never))).code).toBe(
      status.NOT_FOUND,
    );
    const { statuses } = await health.api.list({}, never);
    expect(Object.keys(statuses).sort()).toEqual(['', 'auditing.v1.RuleService']);
    health.close();
  });

  test('turns to NOT_SERVING for those who watch when the app stops', async () => {
    const target = await pair.serve({});
    const health = grpcClient(HealthService, target, { credentials: INSECURE });
    const seen: HealthCheckResponse_ServingStatus[] = [];
    const watching = failure(
      (async () => {
        for await (const { status: now } of health.api.watch({ service: '' }, never))
          seen.push(now);
      })(),
    );
    await until(() => seen.length === 1);
    await pair.runtime.stop();
    await watching;
    expect(seen[0]).toBe(HealthCheckResponse_ServingStatus.SERVING);
    health.close();
  });
});
