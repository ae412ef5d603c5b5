import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import { HealthService } from '@auditing/proto/health';
import { grpcClient } from './grpc-client';
import { serveGrpc } from './grpc-server';
import { INSECURE, readGrpcCredentials, type GrpcTlsConfig } from './grpc-tls';
import { testRuntime, type TestRuntime } from './testing/runtime';

const never = new AbortController().signal;
let folder: string;
let runtime: TestRuntime;
let ours: GrpcTlsConfig;
let theirs: GrpcTlsConfig;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'grpc-tls-'));
  ours = await certificate('ours');
  theirs = await certificate('theirs');
});

afterAll(() => rm(folder, { recursive: true }));

beforeEach(() => {
  runtime = testRuntime();
});

afterEach(() => runtime.stop());

async function certificate(name: string): Promise<GrpcTlsConfig> {
  const pems = await generate([{ name: 'commonName', value: name }], {
    keySize: 2048,
    extensions: [
      { name: 'basicConstraints', cA: true },
      { name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] },
    ],
  });
  const write = async (file: string, pem: string): Promise<string> => {
    const path = join(folder, `${name}-${file}.pem`);
    await writeFile(path, pem);
    return path;
  };
  const cert = await write('cert', pems.cert);
  return { cert, key: await write('key', pems.private), ca: cert };
}

async function check(target: string, tls: GrpcTlsConfig | undefined): Promise<unknown> {
  const credentials = tls ? await readGrpcCredentials(tls) : INSECURE;
  const health = grpcClient(HealthService, target, { credentials, deadlineMs: 5_000 });
  return health.api.check({ service: '' }, never).finally(health.close);
}

test('both sides show their certificate', async () => {
  const target = await serveGrpc(runtime, {
    listen: 'localhost:0',
    credentials: await readGrpcCredentials(ours),
    services: [],
    maxConnectionAgeMs: 0,
  });
  await expect(check(target, ours)).resolves.toBeDefined();
  await expect(check(target, theirs)).rejects.toThrow(target);
  await expect(check(target, undefined)).rejects.toThrow(target);
});

test('with TLS any address may be listened on', async () => {
  const target = await serveGrpc(runtime, {
    listen: '0.0.0.0:0',
    credentials: await readGrpcCredentials(ours),
    services: [],
    maxConnectionAgeMs: 60_000,
  });
  await expect(check(target.replace('0.0.0.0', 'localhost'), ours)).resolves.toBeDefined();
});

test('some of the three files are not enough, and none means no TLS', async () => {
  await expect(readGrpcCredentials({ ...ours, ca: undefined })).rejects.toThrow(/set all three/);
  const none = { cert: undefined, key: undefined, ca: undefined };
  expect((await readGrpcCredentials(none)).isSecure).toBe(false);
  await expect(readGrpcCredentials({ ...ours, key: join(folder, 'none') })).rejects.toThrow(/none/);
});
