import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const ROOT = join(__dirname, '..');
const READY_TIMEOUT_MS = 60_000;

/** The apps that run as processes. */
export type AppName = 'gateway' | 'rule' | 'archive' | 'alert' | 'standalone';

/** One app in a process of its own. */
export interface AppProcess {
  /** What its ready line said. */
  readonly addresses: Readonly<Record<string, string>>;
  readonly pid: number;
  /** What it wrote to stderr so far. */
  readonly stderr: () => string;
  /** SIGTERM; resolves with the exit code. */
  readonly stop: () => Promise<number | null>;
  /** SIGKILL. */
  readonly kill: () => Promise<void>;
}

/** Starts an app from its bundle, on free ports unless `env` says otherwise; resolves when it is ready. */
export async function startApp(
  app: AppName,
  env: Readonly<Record<string, string>>,
): Promise<AppProcess> {
  const child = spawn(process.execPath, [join(ROOT, `apps/${app}/dist/main.js`)], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      AUDITING_WEBHOOK_PORT: '0',
      AUDITING_API_PORT: '0',
      AUDITING_ADMIN_PORT: '0',
      AUDITING_GRPC_LISTEN: '127.0.0.1:0',
      AUDITING_CONFIG_DIR: join(ROOT, 'config'),
      ...env,
    },
  });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const exited = once(child, 'exit') as Promise<[number | null]>;
  const addresses = await readyLine(child, exited, () => stderr);
  return {
    addresses,
    pid: child.pid ?? 0,
    stderr: () => stderr,
    stop: async () => {
      child.kill('SIGTERM');
      return (await exited)[0];
    },
    kill: async () => {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

async function readyLine(
  child: ChildProcess,
  exited: Promise<unknown>,
  stderr: () => string,
): Promise<Record<string, string>> {
  const lines = createInterface(child.stdout as NodeJS.ReadableStream);
  const ready = new Promise<Record<string, string>>((resolve) =>
    lines.on('line', (line) => {
      if (line.startsWith('ready '))
        resolve(JSON.parse(line.slice('ready '.length)) as Record<string, string>);
    }),
  );
  const timeout = AbortSignal.timeout(READY_TIMEOUT_MS);
  const outcome = await Promise.race([
    ready,
    exited.then(() => 'ended' as const),
    once(timeout, 'abort').then(() => 'was not ready in time' as const),
  ]);
  if (typeof outcome !== 'string') return outcome;
  child.kill('SIGKILL');
  throw new Error(`${child.spawnfile} ${outcome}: ${stderr()}`);
}

/** A folder for one test, and its removal. */
export function scratchFolder(): { readonly path: string; readonly remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'auditing-system-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}
