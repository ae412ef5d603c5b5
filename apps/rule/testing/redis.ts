import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createConnection, createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';

/** A Redis server of a test's own. */
export interface TestRedis {
  /** Path of its unix socket: no port, so no clash. With TLS, `rediss://localhost:PORT`. */
  readonly url: string;
  /** Starts it, empty. */
  readonly start: () => Promise<void>;
  readonly stop: () => Promise<void>;
  /** Stops it and removes its folder. */
  readonly remove: () => Promise<void>;
}

/** How it is protected. */
export interface TestRedisOptions {
  readonly password?: string;
  /** Files of its certificate: TLS on a port, and no socket. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca: string };
}

/** A real redis-server, not started yet, that writes nothing. */
export async function testRedis({ password, tls }: TestRedisOptions = {}): Promise<TestRedis> {
  const folder = await mkdtemp(join(tmpdir(), 'redis-'));
  const port = tls ? await freePort() : 0;
  const socket = join(folder, 'socket');
  const listen = tls
    ? ['--port', '0', '--tls-port', String(port), '--tls-auth-clients', 'no', '--bind', '127.0.0.1']
    : ['--port', '0', '--unixsocket', socket];
  const protection = [
    ...(password === undefined ? [] : ['--requirepass', password]),
    ...(tls
      ? ['--tls-cert-file', tls.cert, '--tls-key-file', tls.key, '--tls-ca-cert-file', tls.ca]
      : []),
  ];
  const open = (): Socket =>
    tls
      ? connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false })
      : createConnection(socket);
  let server: ReturnType<typeof spawn> | undefined;
  const stop = async (): Promise<void> => {
    if (!server) return;
    const ended = once(server, 'exit');
    server.kill('SIGKILL');
    await ended;
    server = undefined;
  };
  return {
    url: tls ? `rediss://localhost:${port}` : socket,
    async start() {
      const options = ['--save', '', '--appendonly', 'no', '--dir', folder];
      server = spawn('redis-server', [...listen, ...protection, ...options], { stdio: 'ignore' });
      for (let tries = 0; !(await answers(open())); tries += 1) {
        // It cannot come any more if somebody took its port.
        if (tries > 200 || server.exitCode !== null) throw new Error('redis-server did not start');
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

/** Anything it says, a refusal included. */
function answers(client: Socket): Promise<boolean> {
  return new Promise((resolve) => {
    client.write('PING\r\n');
    client.once('data', () => {
      client.destroy();
      resolve(true);
    });
    // Not once: a handshake that is broken off can fail twice.
    client.on('error', () => client.destroy());
    // Without an error too: then nothing else would come.
    client.on('close', () => resolve(false));
  });
}

/** Redis cannot pick one itself. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
