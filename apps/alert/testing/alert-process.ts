import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { build } from 'esbuild';
import { AlertServiceService } from '@auditing/proto/alert';
import { grpcClient, type GrpcClient } from '@auditing/service/grpc-client';
import { INSECURE } from '@auditing/service/grpc-tls';

/** The alert service as a process of its own. */
export interface AlertProcess {
  readonly client: GrpcClient<typeof AlertServiceService>;
  /** By SIGKILL; resolves when it is gone. */
  readonly kill: () => Promise<void>;
}

/** Starts one with these settings, beside those for free ports. */
export type StartAlert = (env: Readonly<Record<string, string>>) => Promise<AlertProcess>;

/** Bundles the service into a folder, and gives what starts it. */
export async function buildAlert(folder: string): Promise<StartAlert> {
  const main = join(folder, 'main.mjs');
  await build({
    entryPoints: [join(__dirname, '../main.ts')],
    outfile: main,
    bundle: true,
    platform: 'node',
    format: 'esm',
    external: ['@mongodb-js/zstd'],
    logLevel: 'error',
    banner: {
      js: "import{createRequire as __cr}from'node:module';const require=__cr(import.meta.url);",
    },
  });
  return async (env) => {
    const child = spawn(process.execPath, [main], {
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { AUDITING_GRPC_LISTEN: '127.0.0.1:0', AUDITING_ADMIN_PORT: '0', ...env },
    });
    const { alert } = await readyLine(child);
    const client = grpcClient(AlertServiceService, alert ?? '', { credentials: INSECURE });
    return {
      client,
      async kill() {
        client.close();
        if (child.exitCode !== null) return;
        const exited = once(child, 'exit');
        child.kill('SIGKILL');
        await exited;
      },
    };
  };
}

async function readyLine(child: ChildProcess): Promise<Record<string, string>> {
  if (!child.stdout) throw new Error('the process has no stdout');
  for await (const line of createInterface(child.stdout)) {
    if (line.startsWith('ready ')) return JSON.parse(line.slice(6)) as Record<string, string>;
  }
  throw new Error('the process ended before it was ready');
}
