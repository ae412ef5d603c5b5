import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const READY_TIMEOUT_MS = 60_000;

const QUIET = 'route: { receiver: none }\nreceivers: [{ name: none }]\n';

/** An alert as a real Alertmanager shows it. */
export interface ShownAlert {
  readonly labels: Record<string, string>;
  readonly annotations: Record<string, string>;
  readonly startsAt: string;
  readonly endsAt: string;
  readonly fingerprint: string;
}

/** A real Alertmanager, which forgets its alerts when it is stopped. */
export interface Alertmanager {
  readonly url: string;
  readonly start: () => Promise<void>;
  readonly stop: () => Promise<void>;
  readonly alerts: () => Promise<ShownAlert[]>;
}

/** Where it listens. */
export interface AlertmanagerOptions {
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default a free one. */
  readonly port?: number;
  /** Where its cluster talks; without it, it stays alone. */
  readonly clusterListen?: string;
  /** Another member of the cluster. */
  readonly clusterPeer?: string;
  /** Its configuration, YAML. Default: everybody is told nothing. */
  readonly config?: string;
}

/** Starts one with its data below `folder`. */
export async function startAlertmanager(
  folder: string,
  options: AlertmanagerOptions = {},
): Promise<Alertmanager> {
  mkdirSync(folder, { recursive: true });
  const config = join(folder, 'alertmanager.yml');
  writeFileSync(config, options.config ?? QUIET);
  const { host = '127.0.0.1', port = await freePort(), clusterListen = '', clusterPeer } = options;
  const url = `http://${host}:${port}`;
  let child: ChildProcess | undefined;
  const alertmanager: Alertmanager = {
    url,
    async start() {
      child = spawn(
        'prometheus-alertmanager',
        [
          `--config.file=${config}`,
          `--storage.path=${join(folder, 'data')}`,
          `--web.listen-address=${host}:${port}`,
          `--cluster.listen-address=${clusterListen}`,
          ...(clusterPeer === undefined ? [] : [`--cluster.peer=${clusterPeer}`]),
        ],
        { stdio: 'ignore' },
      );
      const giveUpAt = Date.now() + READY_TIMEOUT_MS;
      while (!(await fetch(`${url}/-/ready`).catch(() => undefined))?.ok) {
        if (Date.now() > giveUpAt) throw new Error('prometheus-alertmanager was not ready in time');
        await sleep(50);
      }
    },
    async stop() {
      if (child?.exitCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
      child = undefined;
    },
    async alerts() {
      const response = await fetch(`${url}/api/v2/alerts`);
      return (await response.json()) as ShownAlert[];
    },
  };
  await alertmanager.start();
  return alertmanager;
}

/** Starts several that gossip, as one cluster: each of them knows the others' silences, and none their alerts. */
export async function startCluster(
  folder: string,
  count: number,
  options: Pick<AlertmanagerOptions, 'config'> = {},
): Promise<Alertmanager[]> {
  const ports = await Promise.all(Array.from({ length: count }, freePort));
  const [first] = ports;
  const members = await Promise.all(
    ports.map((port, place) =>
      startAlertmanager(join(folder, String(place)), {
        ...options,
        clusterListen: `127.0.0.1:${port}`,
        // Itself, for the first: who is alone is a cluster of one.
        clusterPeer: `127.0.0.1:${first}`,
      }),
    ),
  );
  const giveUpAt = Date.now() + READY_TIMEOUT_MS;
  for (const { url } of members) {
    while ((await peersOf(url)) < count) {
      if (Date.now() > giveUpAt) throw new Error('the Alertmanagers did not find each other');
      await sleep(50);
    }
  }
  return members;
}

async function peersOf(url: string): Promise<number> {
  const response = await fetch(`${url}/api/v2/status`);
  const { cluster } = (await response.json()) as { cluster: { peers?: unknown[] } };
  return cluster.peers?.length ?? 0;
}

/** A port that nobody listens on just now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
