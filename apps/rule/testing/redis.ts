import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A Redis server of a test's own. */
export interface TestRedis {
  /** Path of its unix socket: no port, so no clash. */
  readonly url: string;
  /** Starts it, empty. */
  readonly start: () => Promise<void>;
  readonly stop: () => Promise<void>;
  /** Stops it and removes its folder. */
  readonly remove: () => Promise<void>;
}

/** A real redis-server, not started yet, that writes nothing. */
export async function testRedis(): Promise<TestRedis> {
  const folder = await mkdtemp(join(tmpdir(), 'redis-'));
  const url = join(folder, 'socket');
  let server: ReturnType<typeof spawn> | undefined;
  const stop = async (): Promise<void> => {
    if (!server) return;
    const ended = once(server, 'exit');
    server.kill('SIGKILL');
    await ended;
    server = undefined;
  };
  return {
    url,
    async start() {
      const options = ['--port', '0', '--unixsocket', url, '--save', '', '--appendonly', 'no'];
      server = spawn('redis-server', [...options, '--dir', folder], { stdio: 'ignore' });
      for (let tries = 0; !(await answers(url)); tries += 1) {
        if (tries > 200) throw new Error('redis-server did not start');
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
    },
    stop,
    async remove() {
      await stop();
      await rm(folder, { recursive: true });
    },
  };
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const client = createConnection(path, () => client.write('PING\r\n'));
    client.once('data', () => {
      client.destroy();
      resolve(true);
    });
    client.once('error', () => resolve(false));
  });
}
