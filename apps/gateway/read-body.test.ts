import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { chunksOf, readBody } from './read-body';

let server: Server;
let arrived: Promise<IncomingMessage>;
let sender: Socket;

beforeEach(async () => {
  server = createServer();
  arrived = once(server, 'request').then(([req]) => req as IncomingMessage);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  sender = connect((server.address() as AddressInfo).port, '127.0.0.1');
  sender.on('error', () => undefined);
});

afterEach(async () => {
  sender.destroy();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const post = (headers: string, body = ''): boolean =>
  sender.write(`POST / HTTP/1.1\r\nHost: a\r\n${headers}\r\n\r\n${body}`);

const LIMITS = { length: undefined, maxBytes: 1000, timeoutMs: 60_000 };

/** Listeners of ours that a body left behind. */
const listeners = (req: IncomingMessage): number =>
  ['data', 'end', 'close', 'error', 'readable'].reduce((n, name) => n + req.listenerCount(name), 0);

test('a sender that went away with its body whole is gone at once, not after the time for a body', async () => {
  post('Content-Length: 4', 'body');
  const req = await arrived;
  const closed = new Promise((resolve) => req.once('close', resolve));
  sender.destroy();
  await closed;
  await expect(readBody(req, { ...LIMITS, length: 4 })).rejects.toMatchObject({
    name: 'SenderGoneError',
  });
});

test('what was read of a body that does not fit, and the rest of it, are all of it, once', async () => {
  const part = (letter: string): string => `190\r\n${letter.repeat(400)}\r\n`;
  post('Transfer-Encoding: chunked', part('a') + part('b') + part('c'));
  const req = await arrived;
  const before = listeners(req);
  const { bytes, whole } = await readBody(req, LIMITS);
  expect(whole).toBe(false);
  expect(listeners(req)).toBe(before);
  sender.write(`${part('d')}${part('e')}0\r\n\r\n`);
  const rest: Buffer[] = [];
  for await (const chunk of chunksOf(req, 60_000)) rest.push(chunk);
  const all = Buffer.concat([bytes, ...rest]).toString();
  expect(all).toBe(['a', 'b', 'c', 'd', 'e'].map((letter) => letter.repeat(400)).join(''));
  expect(listeners(req)).toBe(before);
});

test('a body that does not come is answered, and leaves nothing behind', async () => {
  post('Content-Length: 4', 'bo');
  const req = await arrived;
  const before = listeners(req);
  const reading = readBody(req, { ...LIMITS, length: 4, timeoutMs: 50 });
  await expect(reading).rejects.toMatchObject({ status: 408 });
  expect(listeners(req)).toBe(before);
  expect(req.isPaused()).toBe(true);
});
