import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { serveGrpc } from '@auditing/service/grpc-server';
import { openGrpcCredentials, type GrpcTlsConfig } from '@auditing/service/grpc-tls';
import { admitAll } from '@auditing/service/testing/admit-all';
import { checkHealth } from '@auditing/service/testing/check-health';
import { until } from '@auditing/service/testing/grpc-pair';
import { testRuntime } from '@auditing/service/testing/runtime';
import { parseAllDocuments } from 'yaml';
import {
  GRPC_AUTHORITY,
  grpcIdentities,
  planGrpcSecrets,
  type GrpcSecrets,
} from './grpc-certificates';
import type { SecretObject } from './kinds';

jest.setTimeout(300_000);
const namespace = 'kubesphere-logging-system';
const DAY_MS = 86_400_000;
const RULE = 'kube-auditing-rule-tls';
const GATEWAY = 'kube-auditing-gateway-tls';
/** Real sockets look at the real clock: what is to be valid begins now. */
const start = new Date();
const after = (days: number): Date => new Date(start.getTime() + days * DAY_MS);

/** The Secrets of a namespace, as an operator that looks at them every day leaves them. */
class Secrets {
  constructor(public now: GrpcSecrets = { authority: undefined, services: new Map() }) {}

  /** Names of what was written. */
  async reconcile(at: Date): Promise<string[]> {
    const apply = await planGrpcSecrets(this.now, { namespace, now: at });
    const services = new Map(this.now.services);
    let { authority } = this.now;
    for (const secret of apply)
      if (secret.metadata.name === GRPC_AUTHORITY) authority = secret;
      else services.set(secret.metadata.name, secret);
    this.now = { authority, services };
    return apply.map(({ metadata }) => metadata.name);
  }

  text(name: string, key: string): string {
    const secret = name === GRPC_AUTHORITY ? this.now.authority : this.now.services.get(name);
    return Buffer.from(secret?.data?.[key] ?? '', 'base64').toString();
  }
}

const ALL = [...grpcIdentities(namespace).keys()];
const certificates = (pem: string): number => pem.match(/BEGIN CERTIFICATE/g)?.length ?? 0;

test('the names are those of the certificates that cert-manager makes', () => {
  const path = join(__dirname, '../../k8s/components/cert-manager/certificates.yaml');
  const made = parseAllDocuments(readFileSync(path, 'utf8')).map(
    (one) => one.toJS() as { spec: { secretName: string; commonName: string; dnsNames: string[] } },
  );
  expect(new Map(made.map(({ spec }) => [spec.secretName, spec.dnsNames]))).toEqual(
    grpcIdentities(namespace),
  );
  for (const { spec } of made) expect(spec.commonName).toBe(spec.dnsNames[0]);
});

test('certificates are made once, for both sides, and renewed when a third of their time is left', async () => {
  const secrets = new Secrets();
  expect(await secrets.reconcile(start)).toEqual([GRPC_AUTHORITY, ...ALL]);
  expect(await secrets.reconcile(start)).toEqual([]);
  const { keyUsage, subject } = new X509Certificate(secrets.text(GATEWAY, 'tls.crt'));
  expect(subject).toBe('CN=auditing-gateway');
  // OIDs of serverAuth and clientAuth.
  expect(keyUsage).toEqual(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
  expect(await secrets.reconcile(after(59))).toEqual([]);
  expect(await secrets.reconcile(after(61))).toEqual(ALL);
});

test('a damaged certificate, or a key of another one, is made anew by the same authority', async () => {
  const secrets = new Secrets();
  await secrets.reconcile(start);
  const { authority, services } = secrets.now;
  const rule = services.get(RULE) as SecretObject;
  const key = services.get(GATEWAY)?.data?.['tls.key'] ?? '';
  for (const data of [{ 'tls.crt': 'eA==' }, { 'tls.key': key }]) {
    const damaged = new Map(services).set(RULE, { ...rule, data: { ...rule.data, ...data } });
    const repaired = new Secrets({ authority, services: damaged });
    expect(await repaired.reconcile(start)).toEqual([RULE]);
  }
});

test('the next authority is in every ca.crt for a day before it signs', async () => {
  const secrets = new Secrets();
  await secrets.reconcile(start);
  const first = secrets.text(GRPC_AUTHORITY, 'tls.crt');
  const due = 365 - 119;
  await secrets.reconcile(after(due - 2));
  expect(await secrets.reconcile(after(due))).toEqual([GRPC_AUTHORITY, ...ALL]);
  const next = secrets.text(GRPC_AUTHORITY, 'next.crt');
  for (const name of ALL) expect(certificates(secrets.text(name, 'ca.crt'))).toBe(2);
  expect(secrets.text(GRPC_AUTHORITY, 'tls.crt')).toBe(first);
  // The day begins when all Secrets are seen to have it.
  expect(await secrets.reconcile(after(due + 3))).toEqual([GRPC_AUTHORITY]);
  expect(await secrets.reconcile(after(due + 3.9))).toEqual([]);
  expect(await secrets.reconcile(after(due + 4))).toEqual([GRPC_AUTHORITY, ...ALL]);
  expect(secrets.text(GRPC_AUTHORITY, 'tls.crt')).toBe(next);
  expect(secrets.text(GRPC_AUTHORITY, 'next.crt')).toBe('');
  const signed = new X509Certificate(secrets.text(RULE, 'tls.crt'));
  expect(signed.verify(new X509Certificate(next).publicKey)).toBe(true);
  // The one before is trusted until it ends.
  expect(secrets.text(RULE, 'ca.crt')).toContain(first.trim());
  await secrets.reconcile(after(366));
  expect(secrets.text(RULE, 'ca.crt')).not.toContain(first.trim());
});

test('an authority that was lost is followed by one that waits until it is known', async () => {
  const secrets = new Secrets();
  await secrets.reconcile(start);
  const first = secrets.text(RULE, 'ca.crt');
  const shown = secrets.text(RULE, 'tls.crt');
  secrets.now = { ...secrets.now, authority: undefined };
  await secrets.reconcile(after(1));
  expect(secrets.text(RULE, 'tls.crt')).toBe(shown);
  expect(secrets.text(RULE, 'ca.crt')).toContain(first.trim());
  expect(certificates(secrets.text(RULE, 'ca.crt'))).toBe(2);
  await secrets.reconcile(after(1));
  await secrets.reconcile(after(2));
  expect(secrets.text(RULE, 'tls.crt')).not.toBe(shown);
  expect(secrets.text(RULE, 'ca.crt')).toContain(first.trim());
});

test('after a year without an operator all is made anew at once', async () => {
  const secrets = new Secrets();
  await secrets.reconcile(start);
  expect(await secrets.reconcile(after(400))).toEqual([GRPC_AUTHORITY, ...ALL]);
  expect(certificates(secrets.text(RULE, 'ca.crt'))).toBe(1);
  expect(await secrets.reconcile(after(400))).toEqual([]);
});

describe('real services', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'grpc-secrets-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  async function mount(secrets: Secrets, name: string, as: string): Promise<GrpcTlsConfig> {
    const write = async (key: string): Promise<string> => {
      const path = join(folder, `${as}-${key}`);
      await writeFile(path, secrets.text(name, key));
      return path;
    };
    return { cert: await write('tls.crt'), key: await write('tls.key'), ca: await write('ca.crt') };
  }

  test('talk at every moment of a rotation, whichever of them reads the new files first', async () => {
    // Begun long ago, so that an authority is renewed now.
    const secrets = new Secrets();
    for (const age of [247, 186, 125, 64]) await secrets.reconcile(after(-age));
    const logged: Record<string, unknown>[] = [];
    const runtime = testRuntime((line) => logged.push(line));
    const replaced = (): number =>
      logged.filter(({ msg }) => msg === 'certificates between the services replaced').length;
    const callers: string[][] = [];
    const target = await serveGrpc(runtime, {
      listen: 'localhost:0',
      credentials: await openGrpcCredentials(await mount(secrets, RULE, 'rule'), runtime),
      admit(call) {
        callers.push([...call.caller.names]);
        return admitAll(call);
      },
      services: [],
      maxConnectionAgeMs: 0,
    });
    const credentials = await openGrpcCredentials(
      await mount(secrets, GATEWAY, 'gateway'),
      runtime,
    );
    const talk = (): Promise<void> => checkHealth(target, 'kube-auditing-rule', credentials);
    await talk();
    const change = async (name: string): Promise<void> => {
      const count = replaced();
      await mount(secrets, name, name === RULE ? 'rule' : 'gateway');
      await until(() => replaced() > count);
      await talk();
    };
    // The next authority becomes known; a day after that was seen it signs.
    expect(await secrets.reconcile(after(-1.5))).toContain(RULE);
    await change(RULE);
    await change(GATEWAY);
    expect(await secrets.reconcile(after(-1.2))).toEqual([GRPC_AUTHORITY]);
    const before = secrets.text(GRPC_AUTHORITY, 'tls.crt');
    expect(await secrets.reconcile(start)).toContain(RULE);
    expect(secrets.text(GRPC_AUTHORITY, 'tls.crt')).not.toBe(before);
    await change(GATEWAY);
    await change(RULE);
    await runtime.stop();
    expect(callers).toHaveLength(5);
    expect(new Set(callers.map(([name]) => name))).toEqual(new Set(['auditing-gateway']));
  });
});
