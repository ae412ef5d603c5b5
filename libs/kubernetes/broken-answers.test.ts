import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { kubeClient, type KubeClient } from './kube-client';

const never = new AbortController().signal;
const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{"ok":true}';

/** An API server, or something in between, that answers what no API server would. */
let server: Server;
let client: KubeClient;
/** What is done with the n-th request, of all connections together. */
let answers: ((socket: Socket) => void)[];
let requestLines: string[];

beforeEach(async () => {
  answers = [];
  requestLines = [];
  server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (data: Buffer) => {
      const answer = answers[requestLines.length];
      requestLines.push(data.toString().split(' HTTP')[0] ?? '');
      answer?.(socket);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  client = kubeClient({
    server: `http://127.0.0.1:${port}`,
    namespace: 'default',
    credentials: () => Promise.resolve({}),
  });
});

afterEach(() => {
  client.close();
  server.close();
});

const get = (): Promise<unknown> => client.request({ path: '/pods', signal: never });
const post = (): Promise<unknown> =>
  client.request({ method: 'POST', path: '/pods', body: {}, signal: never });

async function watch(lines: unknown[] = []): Promise<void> {
  for await (const line of client.lines({ path: '/pods', signal: never }, 30_000)) lines.push(line);
}

/** Sends a request; its connection idles when this resolves. */
async function getAndIdle(): Promise<void> {
  await get();
  await new Promise((resolve) => setImmediate(resolve));
}

test('an answer that is no JSON is an error that shows it', async () => {
  answers = [(socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n<sign in>')];
  await expect(get()).rejects.toMatchObject({
    code: 200,
    message: 'GET /pods: expected JSON, got "<sign in>"',
  });
});

test('an answer that breaks off is an error, and nothing is asked again', async () => {
  answers = [
    (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n{"kind":'),
    (socket) => socket.write(OK),
  ];
  await expect(get()).rejects.toMatchObject({
    code: 0,
    message: 'GET /pods: the API server is not reached (ECONNRESET)',
  });
  expect(requestLines).toEqual(['GET /pods']);
});

test('what is not HTTP is an error', async () => {
  answers = [(socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n')];
  await expect(get()).rejects.toThrow('GET /pods: the API server is not reached (HPE_');
});

test('a connection that is new and closed without an answer is an error', async () => {
  answers = [(socket) => socket.destroy(), (socket) => socket.write(OK)];
  await expect(get()).rejects.toMatchObject({ code: 0 });
  expect(requestLines).toEqual(['GET /pods']);
});

test('a connection that was closed while it idled is replaced', async () => {
  answers = [
    (socket) => socket.write(OK),
    (socket) => socket.resetAndDestroy(),
    (socket) => socket.write(OK),
  ];
  await getAndIdle();
  await expect(get()).resolves.toEqual({ ok: true });
  expect(requestLines).toEqual(['GET /pods', 'GET /pods', 'GET /pods']);
});

test('but what may have been done already is not sent again', async () => {
  answers = [
    (socket) => socket.write(OK),
    (socket) => socket.resetAndDestroy(),
    (socket) => socket.write(OK),
  ];
  await getAndIdle();
  await expect(post()).rejects.toMatchObject({ code: 0 });
  expect(requestLines).toEqual(['GET /pods', 'POST /pods']);
});

test('a watch that breaks off gives the lines before, then an error', async () => {
  const head = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n';
  answers = [(socket) => socket.end(`${head}a\r\n{"n":1}\n{"\r\n`)];
  const lines: unknown[] = [];
  await expect(watch(lines)).rejects.toMatchObject({ code: 0 });
  expect(lines).toEqual([{ n: 1 }]);
});

test('a watch whose lines are no JSON says so', async () => {
  answers = [(socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\noh?\n')];
  const watched = watch();
  await expect(watched).rejects.toMatchObject({ code: 502 });
  await expect(watched).rejects.toThrow('GET /pods: expected lines of JSON');
});
