import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HealthService } from '@auditing/proto/health';
import { callerOf, type Caller } from './grpc-admission';
import { grpcClient, type GrpcClient } from './grpc-client';
import { serveGrpc } from './grpc-server';
import { INSECURE, openGrpcCredentials, type GrpcTlsConfig } from './grpc-tls';
import { admitAll } from './testing/admit-all';
import { testAuthority, type TestAuthority } from './testing/authority';
import { until } from './testing/grpc-pair';
import { testRuntime, type TestRuntime } from './testing/runtime';

const never = new AbortController().signal;
let folder: string;
let runtime: TestRuntime;
let logged: Record<string, unknown>[];
let authority: TestAuthority;
let ours: GrpcTlsConfig;
let theirs: GrpcTlsConfig;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'grpc-tls-'));
  authority = await testAuthority(folder);
  ours = await authority.issue('ours', ['ours']);
  theirs = await (await testAuthority(folder)).issue('theirs', ['theirs']);
});

afterAll(() => rm(folder, { recursive: true }));

beforeEach(() => {
  logged = [];
  runtime = testRuntime((line) => logged.push(line));
});

afterEach(() => runtime.stop());

async function clientOf(
  target: string,
  tls: GrpcTlsConfig | undefined,
): Promise<GrpcClient<typeof HealthService>> {
  const credentials = tls ? await openGrpcCredentials(tls, runtime) : INSECURE;
  return grpcClient(HealthService, target, { credentials, deadlineMs: 60_000 });
}

async function check(target: string, tls: GrpcTlsConfig | undefined): Promise<unknown> {
  const health = await clientOf(target, tls);
  return health.api.check({ service: '' }, never).finally(health.close);
}

async function serve(tls: GrpcTlsConfig, callers: Caller[] = []): Promise<string> {
  return serveGrpc(runtime, {
    listen: 'localhost:0',
    credentials: await openGrpcCredentials(tls, runtime),
    admit(call) {
      callers.push(call.caller);
      return admitAll(call);
    },
    services: [],
    maxConnectionAgeMs: 0,
  });
}

test('both sides show their certificate', async () => {
  const callers: Caller[] = [];
  const target = await serve(ours, callers);
  await expect(check(target, ours)).resolves.toBeDefined();
  expect(callers).toEqual([
    {
      token: undefined,
      names: ['ours', 'localhost', 'ours'],
      connection: expect.stringMatching(/^127\.0\.0\.1:\d+$/) as string,
    },
  ]);
  await expect(check(target, theirs)).rejects.toThrow(target);
  await expect(check(target, undefined)).rejects.toThrow(target);
});

test('a certificate that our CA did not sign names nobody, nor does one for many', async () => {
  const callers: Caller[] = [];
  const target = await serve(ours, callers);
  // Trusts our server, so that the call arrives.
  await expect(check(target, { ...theirs, ca: ours.ca })).resolves.toBeDefined();
  await expect(check(target, await authority.issue('wild', ['*']))).resolves.toBeDefined();
  expect(callers.map(({ names }) => names)).toEqual([[], ['localhost']]);
});

test('names that look like several are one', () => {
  const text = 'DNS:"a, DNS:auditing-gateway, DNS:b", URI:spiffe://c, IP Address:127.0.0.1';
  const certificate = { subject: { CN: ['x', 'y'] }, subjectaltname: text };
  const call = {
    metadata: { get: () => [] },
    getAuthContext: () => ({ sslPeerCertificate: certificate }),
    getPeer: () => '127.0.0.1:40000',
  };
  expect(callerOf(call as unknown as Parameters<typeof callerOf>[0]).names).toEqual([
    'x',
    'y',
    'a, DNS:auditing-gateway, DNS:b',
    'spiffe://c',
    '127.0.0.1',
  ]);
});

test('with TLS any address may be listened on', async () => {
  const target = await serveGrpc(runtime, {
    listen: '0.0.0.0:0',
    credentials: await openGrpcCredentials(ours, runtime),
    admit: admitAll,
    services: [],
    maxConnectionAgeMs: 60_000,
  });
  await expect(check(target.replace('0.0.0.0', 'localhost'), ours)).resolves.toBeDefined();
});

test('some of the three files are not enough, and none means no TLS', async () => {
  const open = (tls: GrpcTlsConfig) => openGrpcCredentials(tls, runtime);
  await expect(open({ ...ours, ca: undefined })).rejects.toThrow(/set all three/);
  const none = { cert: undefined, key: undefined, ca: undefined };
  expect((await open(none)).isSecure).toBe(false);
  await expect(open({ ...ours, key: join(folder, 'none') })).rejects.toThrow(/none/);
  await expect(open({ ...ours, key: theirs.key })).rejects.toThrow(/key values mismatch/);
});

describe('when the files change', () => {
  const replaced = (): boolean =>
    logged.some(({ msg }) => msg === 'certificates between the services replaced');

  test('server and clients show the new certificates, and open calls go on', async () => {
    const first = await (await testAuthority(folder)).issue('rotating', ['first']);
    const callers: Caller[] = [];
    const target = await serve(first, callers);
    const client = await clientOf(target, first);
    const ending = new AbortController();
    const watch = client.api.watch({ service: '' }, ending.signal)[Symbol.asyncIterator]();
    await watch.next();

    // The same files, by another CA: whoever did not read them again does not understand the others.
    const second = await (await testAuthority(folder)).issue('rotating', ['second']);
    expect(second).toEqual(first);
    await until(() => logged.filter(({ msg }) => String(msg).includes('replaced')).length === 2);
    await expect(check(target, second)).resolves.toBeDefined();
    await expect(client.api.check({ service: '' }, never)).resolves.toBeDefined();
    expect(callers.map(({ names }) => names[0])).toEqual(['first', 'second', 'first']);

    ending.abort();
    await watch.next().catch(() => undefined);
    client.close();
    // Its next connection is made with what it read.
    const again = await clientOf(target, second);
    await expect(again.api.check({ service: '' }, never)).resolves.toBeDefined();
    again.close();
  });

  test('files that cannot be used leave the old ones in force', async () => {
    const tls = await authority.issue('broken', ['broken']);
    const target = await serve(tls);
    await writeFile(tls.cert ?? '', 'no certificate');
    await until(() => logged.some(({ msg }) => String(msg).includes('cannot be used')));
    expect(replaced()).toBe(false);
    await expect(
      check(target, { ...(await authority.issue('fine', ['fine'])) }),
    ).resolves.toBeDefined();
    await authority.issue('broken', ['mended']);
    await until(replaced);
    await expect(check(target, tls)).resolves.toBeDefined();
  });
});
