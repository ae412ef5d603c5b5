import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import type { Service } from './service';
import { integer, text } from './setting-parsers';
import { runtimeSettings, start, type Started } from './start';
import { hasSettingsTable } from './testing/readme';

const ENV = { AUDITING_ADMIN_PORT: '0', AUDITING_NAME: 'x' };
const silent = pino({ level: 'silent' });
const opened: Started[] = [];

afterEach(async () => {
  for (const one of opened.splice(0)) await one.stop();
});

test('the README has the table of the settings of every app', () => {
  const readme = readFileSync(join(__dirname, 'README.md'), 'utf8');
  expect(hasSettingsTable(readme, runtimeSettings(9090))).toBe(true);
});

interface Config {
  readonly name: string;
  readonly count: number;
}

function service(setUp: Service<Config>['setUp']): Service<Config> {
  return {
    name: 'example',
    adminPort: 9090,
    settings: {
      name: { variable: 'AUDITING_NAME', parser: text, description: '' },
      count: { variable: 'AUDITING_COUNT', parser: integer(1, 9), fallback: '1', description: '' },
    },
    setUp,
  };
}

async function started(
  setUp: Service<Config>['setUp'],
  env: Record<string, string> = {},
): Promise<Started> {
  const one = await start(service(setUp), { ...ENV, ...env }, silent);
  opened.push(one);
  return one;
}

async function get(one: Started, path: string): Promise<{ code: number; body: string }> {
  const response = await fetch(`${one.addresses['admin'] ?? ''}${path}`);
  return { code: response.status, body: await response.text() };
}

test('an app gets its configuration and tells where it listens', async () => {
  const one = await started(({ config }) =>
    Promise.resolve({ addresses: { example: `${config.name}:${config.count}` } }),
  );
  expect(one.addresses).toEqual({
    example: 'x:1',
    admin: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/) as string,
  });
});

test('bad variables of the app and of the runtime are reported together', async () => {
  const env = { AUDITING_ADMIN_PORT: 'x', AUDITING_NAME: 'x', AUDITING_COUNT: '10' };
  const bad = start(
    service(() => Promise.reject(new Error('not reached'))),
    env,
    silent,
  );
  await expect(bad).rejects.toThrow(/AUDITING_ADMIN_PORT[^]*AUDITING_COUNT/);
});

test('the admin port serves life, readiness and metrics', async () => {
  let broken = false;
  const one = await started(({ metrics }) => {
    expect(metrics).toBeDefined();
    return Promise.resolve({
      addresses: {},
      ready: () => (broken ? Promise.reject(new Error('the disk is gone')) : Promise.resolve()),
    });
  });
  expect(await get(one, '/readyz')).toEqual({ code: 200, body: 'ok\n' });
  broken = true;
  expect(await get(one, '/readyz')).toEqual({ code: 503, body: 'the disk is gone\n' });
  expect(await get(one, '/livez')).toEqual({ code: 200, body: 'ok\n' });
  expect((await get(one, '/metrics')).body).toContain('process_cpu_seconds_total');
  expect((await get(one, '/')).code).toBe(404);
});

test('while it drains it serves, says that it is not ready, and has not aborted anything', async () => {
  let signals: { draining: AbortSignal; stopping: AbortSignal } | undefined;
  const one = await started(
    (context) => {
      signals = context;
      return Promise.resolve({ addresses: {} });
    },
    { AUDITING_DRAIN_DELAY: '5s' },
  );
  const stopped = one.stop();
  expect(await get(one, '/readyz')).toEqual({ code: 503, body: 'stopping\n' });
  expect((await get(one, '/livez')).code).toBe(200);
  expect(signals?.draining.aborted).toBe(true);
  expect(signals?.stopping.aborted).toBe(false);
  await stopped;
  expect(signals?.stopping.aborted).toBe(true);
  await expect(get(one, '/livez')).rejects.toThrow();
});

test('it closes in reverse order, past one that fails, and only once', async () => {
  const closed: string[] = [];
  const one = await started(({ closeLater, stopping }) => {
    closeLater('first', () => void closed.push(`first, stopping ${String(stopping.aborted)}`));
    closeLater('second', () => Promise.reject(new Error('cannot close')));
    closeLater('third', () => void closed.push('third'));
    return Promise.resolve({ addresses: {} });
  });
  await Promise.all([one.stop(), one.stop()]);
  expect(closed).toEqual(['third', 'first, stopping true']);
});

test('a set-up that fails closes what it opened', async () => {
  const closed: string[] = [];
  const bad = start(
    service(({ closeLater }) => {
      closeLater('disk', () => void closed.push('disk'));
      return Promise.reject(new Error('port taken'));
    }),
    ENV,
    silent,
  );
  await expect(bad).rejects.toThrow('port taken');
  expect(closed).toEqual(['disk']);
});
