import { status } from '@grpc/grpc-js';
import { backoffMs, retry } from './retry';
import { RpcError } from './rpc-error';
import { wait } from './wait';

const never = new AbortController().signal;
const backoff = { initialMs: 1, maxMs: 2 };
const unavailable = (): Promise<never> => Promise.reject(new RpcError(status.UNAVAILABLE, 'away'));

test('a step is tried until it succeeds', async () => {
  const retried: number[] = [];
  const value = await retry((attempt) => (attempt < 4 ? unavailable() : Promise.resolve(attempt)), {
    signal: never,
    backoff,
    onRetry: (_error, attempt) => void retried.push(attempt),
  });
  expect(value).toBe(4);
  expect(retried).toEqual([1, 2, 3]);
});

test('a final error and a bug are not tried again', async () => {
  let tries = 0;
  const final = new RpcError(status.INVALID_ARGUMENT, 'never');
  for (const error of [final, new TypeError('bug')]) {
    const step = (): Promise<never> => {
      tries += 1;
      return Promise.reject(error);
    };
    await expect(retry(step, { signal: never, backoff })).rejects.toBe(error);
  }
  expect(tries).toBe(2);
});

test('the number of tries can be bounded', async () => {
  let tries = 0;
  const step = (): Promise<never> => {
    tries += 1;
    return unavailable();
  };
  await expect(retry(step, { signal: never, backoff, maxAttempts: 3 })).rejects.toThrow('away');
  expect(tries).toBe(3);
});

test('aborting ends the wait between tries', async () => {
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 20);
  const slow = { initialMs: 1e9, maxMs: 1e9 };
  await expect(
    retry(unavailable, { signal: controller.signal, backoff: slow }),
  ).rejects.toMatchObject({
    code: status.CANCELLED,
  });
  await expect(wait(1e9, controller.signal)).rejects.toMatchObject({ code: status.CANCELLED });
});

test('waits double up to their bound, and are spread from nothing to the bound', () => {
  const bounds = { initialMs: 100, maxMs: 1_000 };
  expect([1, 2, 3, 4, 5, 60].map((attempt) => backoffMs(attempt, bounds, () => 1))).toEqual([
    100, 200, 400, 800, 1_000, 1_000,
  ]);
  expect(backoffMs(3, bounds, () => 0)).toBe(0);
});
