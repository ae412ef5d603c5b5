import { spawn, type ChildProcess } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { existsSync } from 'node:fs';
import { kubeClient } from '../kube-client';
import { hasCode } from '../kube-error';
import { kubeconfigConnection } from '../kubeconfig';
import { until } from './until';

/** The program that the environment names; undefined where there is none, or no etcd for it. */
export const KUBE_APISERVER =
  process.env['KUBE_APISERVER'] && pathOf('etcd') ? process.env['KUBE_APISERVER'] : undefined;

/** For the title of tests that need it. */
export const NEEDS_KUBE_APISERVER = 'needs kube-apiserver (named by KUBE_APISERVER) and etcd';

/** A real API server of a test's own, with nothing in it. */
export interface KubeApiserver {
  /** Path of a kubeconfig of the administrator. */
  readonly kubeconfig: string;
  /** The folder that everything lies in. */
  readonly folder: string;
  /** Ends the API server, not its store, and starts it again. */
  readonly restart: (how: 'SIGTERM' | 'SIGKILL') => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** What differs from the usual. */
export interface KubeApiserverOptions {
  /** Kubeconfig of the audit webhook; everything is audited, at level RequestResponse. */
  readonly auditWebhook?: string;
}

/** Where a program lies; undefined if it is not on the path. */
export function pathOf(program: string): string | undefined {
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, program))
    .find((path) => existsSync(path));
}

/** Starts etcd and kube-apiserver on free ports of loopback. */
export async function startKubeApiserver(
  options: KubeApiserverOptions = {},
): Promise<KubeApiserver> {
  const folder = await mkdtemp(join(tmpdir(), 'kube-apiserver-'));
  const [client = 0, peer = 0, port = 0] = await freePorts(3);
  const etcd = launch(folder, 'etcd', etcdArgs(folder, client, peer));
  const kubeconfig = join(folder, 'kubeconfig');
  const args = await apiserverArgs(folder, { etcdPort: client, port, ...options });
  const token = await writeAccess(folder);
  let apiserver: ChildProcess | undefined;
  const start = async (): Promise<void> => {
    apiserver = launch(folder, KUBE_APISERVER ?? 'kube-apiserver', args);
    await until(() => existsSync(join(folder, 'apiserver.crt')), 60_000);
    await writeFile(
      kubeconfig,
      kubeconfigText(port, token, await readFile(join(folder, 'apiserver.crt'))),
    );
    const api = kubeClient(await kubeconfigConnection(kubeconfig));
    const { signal } = new AbortController();
    await until(
      () =>
        // Its answer is the word ok, which is no JSON.
        api
          .request<boolean>({ path: '/readyz', signal })
          .catch((error: unknown) => hasCode(error, 200)),
      60_000,
    );
    api.close();
  };
  const end = async (how: NodeJS.Signals): Promise<void> => {
    if (apiserver) await ended(apiserver, how);
    apiserver = undefined;
  };
  await start();
  return {
    kubeconfig,
    folder,
    async restart(how) {
      await end(how);
      await start();
    },
    async stop() {
      await end('SIGTERM');
      await ended(etcd, 'SIGTERM');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function ended(process: ChildProcess, how: NodeJS.Signals): Promise<void> {
  if (process.exitCode !== null || process.signalCode !== null) return;
  const exit = once(process, 'exit');
  process.kill(how);
  await exit;
}

function launch(folder: string, program: string, args: readonly string[]): ChildProcess {
  const child = spawn(program, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  const log = createWriteStream(join(folder, `${program.split('/').at(-1) ?? ''}.log`), {
    flags: 'a',
  });
  child.stdout.pipe(log, { end: false });
  child.stderr.pipe(log, { end: false });
  return child;
}

function etcdArgs(folder: string, client: number, peer: number): string[] {
  const [clients, peers] = [client, peer].map((port) => `http://127.0.0.1:${port}`);
  return [
    ...['--name', 'test', '--data-dir', join(folder, 'etcd-data'), '--log-level', 'error'],
    ...['--unsafe-no-fsync=true'],
    ...['--listen-client-urls', clients ?? '', '--advertise-client-urls', clients ?? ''],
    ...['--listen-peer-urls', peers ?? '', '--initial-advertise-peer-urls', peers ?? ''],
    ...['--initial-cluster', `test=${peers ?? ''}`],
  ];
}

async function apiserverArgs(
  folder: string,
  { etcdPort, port, auditWebhook }: KubeApiserverOptions & { etcdPort: number; port: number },
): Promise<string[]> {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  await writeFile(join(folder, 'sa.key'), privateKey.export({ type: 'pkcs1', format: 'pem' }));
  await writeFile(join(folder, 'sa.pub'), publicKey.export({ type: 'spki', format: 'pem' }));
  const policy = join(folder, 'audit-policy.yaml');
  await writeFile(
    policy,
    'apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules: [{ level: RequestResponse }]\n',
  );
  return [
    `--etcd-servers=http://127.0.0.1:${etcdPort}`,
    `--cert-dir=${folder}`,
    ...[`--secure-port=${port}`, '--bind-address=127.0.0.1', '--authorization-mode=RBAC'],
    ...[`--service-account-key-file=${join(folder, 'sa.pub')}`],
    ...[`--service-account-signing-key-file=${join(folder, 'sa.key')}`],
    '--service-account-issuer=https://kubernetes.default.svc',
    ...[
      '--service-cluster-ip-range=10.96.0.0/16',
      `--token-auth-file=${join(folder, 'tokens.csv')}`,
    ],
    ...(auditWebhook === undefined
      ? []
      : [
          `--audit-policy-file=${policy}`,
          `--audit-webhook-config-file=${auditWebhook}`,
          '--audit-webhook-batch-max-wait=500ms',
          '--audit-webhook-initial-backoff=1s',
        ]),
  ];
}

async function writeAccess(folder: string): Promise<string> {
  const token = randomBytes(16).toString('hex');
  await writeFile(join(folder, 'tokens.csv'), `${token},admin,1,"system:masters"\n`);
  return token;
}

function kubeconfigText(port: number, token: string, ca: Buffer): string {
  return `apiVersion: v1
kind: Config
current-context: test
contexts: [{ name: test, context: { cluster: test, user: admin } }]
clusters:
  - name: test
    cluster: { server: 'https://127.0.0.1:${port}', certificate-authority-data: ${ca.toString('base64')} }
users: [{ name: admin, user: { token: ${token} } }]
`;
}

/** Ports that are free now; others may take them, but hardly ever do. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      return server;
    }),
  );
  return Promise.all(
    servers.map(async (server) => {
      const address = server.address();
      server.close();
      await once(server, 'close');
      return typeof address === 'object' && address ? address.port : 0;
    }),
  );
}
