import { once } from 'node:events';
import { createServer, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { ArchiveServiceService } from '@auditing/proto/archive';
import { grpcClient } from '@auditing/service/grpc-client';
import { serveGrpc } from '@auditing/service/grpc-server';
import { grpcService } from '@auditing/service/grpc-service';
import { INSECURE } from '@auditing/service/grpc-tls';
import { admitAll } from '@auditing/service/testing/admit-all';
import { endWhenStalled } from './end-when-stalled';
import { OWN_API } from './own-api';
import { queryPlaces } from './query-limits';
import { event, eventually } from './testing/gateway';
import { KAPIS, TestQueryApi, typed } from './testing/query-api';

let api: TestQueryApi;

beforeEach(() => {
  api = new TestQueryApi();
  api.archive.answers = [{ events: [typed(event('a'))] }];
});

afterEach(() => api.runtime.stop());

test('a client with too many questions is told so, and has its place again after an answer', async () => {
  await api.serve({}, { maxStreams: 8 });
  const first = await api.open(`${OWN_API}/tail`);
  const second = await api.open(`${OWN_API}/tail`);
  const third = await api.get(`${OWN_API}/tail`);
  expect(third.status).toBe(429);
  expect(third.headers['retry-after']).toBe('1');
  expect(third.bytes.toString()).toContain('AUDITING_API_MAX_STREAMS');
  // Questions with a time limit have places of their own.
  expect((await api.get(`${OWN_API}/statistics`)).status).toBe(200);
  first.destroy();
  await eventually('there is a place', async () => {
    const again = await api.open(`${OWN_API}/tail`);
    again.destroy();
    return again.statusCode === 200;
  });
  second.destroy();
});

test('when all places are taken others are told so, until one is given back', () => {
  const places = queryPlaces(2, 'THE_SETTING');
  const give = places.take('a');
  places.take('b');
  expect(() => places.take('c')).toThrow(expect.objectContaining({ status: 503 }) as Error);
  expect(() => places.take('c')).toThrow('THE_SETTING');
  give();
  give();
  places.take('c');
  expect(() => places.take('a')).toThrow('all that THE_SETTING allows');
});

test('a question that takes too long is answered 504, and the archive hears of it', async () => {
  await api.serve({}, { queryTimeoutMs: 20 });
  api.archive.endless = true;
  const { status: code, body } = await api.ask(`${OWN_API}/statistics`);
  expect(code).toBe(504);
  expect(body).toMatchObject({
    error: expect.stringContaining('AUDITING_QUERY_TIMEOUT') as string,
  });
  await eventually('the archive hears of it', () => api.archive.ended);
});

test('an answer that has begun may take its time', async () => {
  // Long enough to begin on a busy machine.
  await api.serve({}, { queryTimeoutMs: 3_000 });
  api.archive.endless = true;
  const response = await api.open(KAPIS);
  expect(response.statusCode).toBe(200);
  await sleep(3_500);
  expect(api.archive.ended).toBe(false);
  response.destroy();
  await eventually('the archive hears of it', () => api.archive.ended);
});

test('a client that reads nothing takes no memory: pieces are taken at its pace', async () => {
  await api.serve();
  const piece = Buffer.alloc(1024 * 1024, 'x');
  api.archive.pieces = Array.from({ length: 100 }, () => piece);
  const response = await api.open(`${OWN_API}/export`);
  response.pause();
  let before = -1;
  await eventually('no more is taken', async () => {
    const isQuiet = api.archive.given === before;
    before = api.archive.given;
    await sleep(100);
    return isQuiet;
  });
  // What the buffers of both sockets hold, and no more.
  expect(api.archive.given).toBeLessThan(50);
  let bytes = 0;
  for await (const chunk of response) bytes += (chunk as Buffer).length;
  expect(bytes).toBe(100 * piece.length);
});

test('an answer that the client does not read is ended, one that has nothing to say is not', async () => {
  const closed: string[] = [];
  const server = createServer((request, response) => {
    response.on('close', () => closed.push(request.url ?? ''));
    endWhenStalled(response, 50);
    response.writeHead(200);
    if (request.url === '/silent') response.write('x');
    else response.write(Buffer.alloc(64 * 1024 * 1024));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const open = (path: string) =>
    new Promise<void>((resolve) => {
      get(`http://127.0.0.1:${port}${path}`, { agent: false }, (response) => {
        response.on('error', () => undefined);
        if (path === '/silent') response.resume();
        else response.pause();
        resolve();
      });
    });
  await open('/silent');
  await open('/unread');
  await eventually('the unread one is ended', () => closed.length > 0);
  expect(closed).toEqual(['/unread']);
  server.closeAllConnections();
  server.close();
});

test('a client that goes away ends the call to the archive, wherever that runs', async () => {
  const { archive } = api;
  const target = await serveGrpc(api.runtime, {
    listen: '127.0.0.1:0',
    credentials: INSECURE,
    admit: admitAll,
    services: [grpcService(ArchiveServiceService, bound(archive))],
    maxConnectionAgeMs: 0,
  });
  const client = grpcClient(ArchiveServiceService, target, { credentials: INSECURE });
  await api.serve({}, {}, client.api);
  archive.endless = true;
  for (const path of [`${OWN_API}/statistics`, `${OWN_API}/events`, `${OWN_API}/tail`]) {
    archive.ended = false;
    archive.asked.length = 0;
    archive.searches.length = 0;
    const request = get(`${api.url}${path}`, { agent: false });
    request.on('error', () => undefined);
    await eventually('it is asked', () => archive.asked.length + archive.searches.length > 0);
    request.destroy();
    await eventually(`${path} is ended`, () => archive.ended);
  }
  client.close();
});

/** The methods of a class, as an object has them. */
function bound(archive: TestQueryApi['archive']): TestQueryApi['archive'] {
  return new Proxy(archive, {
    get(target, name: keyof typeof archive) {
      const value = target[name];
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}
