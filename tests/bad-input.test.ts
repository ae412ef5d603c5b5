import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import tls from 'node:tls';
import { gzipSync } from 'node:zlib';
import { settledArchive } from './archive-reader';
import { metric } from './metrics';
import { post, send } from './post';
import { scratchFolder } from './processes';
import { startStandalone, type Stack } from './stack';

jest.setTimeout(180_000);

const MEBIBYTE = 1024 * 1024;
/** How far memory may grow over a body of 100 MB: it is streamed, not held. */
const GROWTH_MAX_BYTES = 350 * MEBIBYTE;

const scratch = scratchFolder();
let stack: Stack;
let url: string;

beforeAll(async () => {
  stack = await startStandalone(scratch.path);
  url = stack.address('webhook');
});
afterAll(async () => {
  await stack.stop();
  scratch.remove();
});

const eventText = (id: string, more = ''): string =>
  `{"level":"Metadata","auditID":"${id}","stage":"ResponseComplete","verb":"create",` +
  `"requestReceivedTimestamp":"2026-11-23T10:00:00.000000Z"${more}}`;
const list = (...items: string[]): string =>
  `{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[${items.join(',')}]}`;

test.each([
  ['text that is not JSON', 'level=Metadata'],
  ['half of a list', list(eventText('half')).slice(0, -30)],
  ['JSON without an event', '{"hello":"world"}'],
  ['a list of which no item is an object', '{"items":[1,"two",null]}'],
  ['an empty body', ''],
])('%s gets 400, with what was expected and where', async (_name, body) => {
  const answer = await post(url, body);
  expect(answer.status).toBe(400);
  expect(JSON.parse(answer.body)).toEqual({
    error: expect.stringMatching(/expected|no event|send /i) as string,
    at: expect.any(String) as string,
  });
});

test('the same bad body, sent five times as kube-apiserver does, is one dead letter', async () => {
  const before = await metric(stack.address('admin'), 'auditing_gateway_dead_letters_total');
  for (let i = 0; i < 5; i += 1) expect((await post(url, '{"five":"times"}')).status).toBe(400);
  const after = await metric(stack.address('admin'), 'auditing_gateway_dead_letters_total');
  expect(after - before).toBe(1);
});

test('an empty list gets 200', async () => {
  expect(await post(url, list())).toMatchObject({ status: 200, body: '""' });
});

test('of a list with bad items the good ones are archived', async () => {
  const answer = await post(url, list(eventText('good-1'), '17', eventText('good-2'), '"text"'));
  expect(answer.status).toBe(200);
  const found = await settledArchive(stack.address('archive'), 2);
  const texts = [...found.values()].flat().map(String);
  expect(texts).toEqual(expect.arrayContaining([eventText('good-1'), eventText('good-2')]));
});

test.each([
  ['a wrong content type', 415, { 'Content-Type': 'text/html' }],
  ['an unknown encoding', 415, { 'Content-Encoding': 'br' }],
  ['bytes that are not the gzip they say', 400, { 'Content-Encoding': 'gzip' }],
])('%s gets %i', async (_name, status, headers) => {
  const answer = await post(url, list(eventText('x')), headers);
  expect(answer.status).toBe(status);
  expect(JSON.parse(answer.body)).toHaveProperty('error');
});

test('a wrong method gets 405 and says which is right', async () => {
  const answer = await send(url, '', { method: 'GET', headers: {} });
  expect(answer.status).toBe(405);
  expect(answer.headers.allow).toContain('POST');
});

test('a wrong path gets 404 and says which is right', async () => {
  const answer = await post(new URL('/audit', url).href, list(eventText('x')));
  expect(answer.status).toBe(404);
  expect(answer.body).toContain('/audit/webhook/event');
});

test('a gzip bomb gets 413', async () => {
  const bomb = gzipSync(Buffer.alloc(300 * MEBIBYTE, 0x20), { level: 9 });
  const answer = await post(url, bomb, { 'Content-Encoding': 'gzip' });
  expect(answer.status).toBe(413);
});

test('a body over the limit gets 413 before it is read', async () => {
  const socket = await rawRequest(url, `Content-Length: ${257 * MEBIBYTE}\r\n`);
  const [head] = (await once(socket, 'data')) as [Buffer];
  expect(head.toString()).toMatch(/^HTTP\/1\.1 413 /);
  socket.destroy();
});

test('half a body and then silence costs nothing else', async () => {
  const socket = await rawRequest(url, 'Content-Length: 1000000\r\n');
  socket.write('{"items":[');
  expect((await post(url, list(eventText('beside')))).status).toBe(200);
  socket.destroy();
});

test('a body of 100 MB gets 200, is archived whole, and memory stays bounded', async () => {
  const wanted = (await settledArchive(stack.address('archive'), 3)).size;
  const filler = 'x'.repeat(1024);
  const items = Array.from({ length: 90_000 }, (_, i) =>
    eventText(`big-${i}`, `,"requestObject":{"data":"${filler}"}`),
  );
  const body = Buffer.from(list(...items));
  expect(body.length).toBeGreaterThan(100 * 1000 * 1000);
  const before = peakMemory();
  expect((await post(url, body)).status).toBe(200);
  const found = await settledArchive(stack.address('archive'), wanted + items.length);
  expect(found.size).toBe(wanted + items.length);
  expect(peakMemory() - before).toBeLessThan(GROWTH_MAX_BYTES);
});

/** The most memory the process ever held. */
function peakMemory(): number {
  const status = readFileSync(`/proc/${stack.process('standalone').pid}/status`, 'utf8');
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}

async function rawRequest(to: string, headers: string): Promise<tls.TLSSocket> {
  const { hostname, port, pathname } = new URL(to);
  const socket = tls.connect({ host: hostname, port: Number(port), rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  socket.write(
    `POST ${pathname} HTTP/1.1\r\nHost: ${hostname}\r\nContent-Type: application/json\r\n${headers}\r\n`,
  );
  return socket;
}
