import { setTimeout as sleep } from 'node:timers/promises';
import type { TLSSocket } from 'node:tls';
import { event } from './testing/gateway';
import { TestWebhook, until } from './testing/webhook';

const MIB = 2 ** 20;
let webhook: TestWebhook;
afterEach(() => webhook.remove());

const head = (length: number, path = '/audit/webhook/event'): string =>
  `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`;

/** Everything that the server sends until it closes. A sender that is still writing then may see a reset: it is an end too. */
async function answerOf(socket: TLSSocket): Promise<string> {
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
  // Not events.once, which rejects at an error.
  if (!socket.closed) await new Promise<void>((resolve) => socket.once('close', () => resolve()));
  return text;
}

const inFlight = (): Promise<number> => webhook.metric('auditing_gateway_bodies_in_flight_bytes');

const budgetReturned = (): Promise<void> => until(async () => (await inFlight()) === 0);

describe('a sender', () => {
  test('that is slow is answered 408, its connection closed and its memory given back', async () => {
    webhook = await TestWebhook.start({ env: { AUDITING_WEBHOOK_BODY_TIMEOUT: '300ms' } });
    const socket = await webhook.socket();
    socket.write(`${head(10_000)}{"items":`);
    const trickle = setInterval(() => socket.write(' '), 50);
    const answer = await answerOf(socket);
    clearInterval(trickle);
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    expect(answer).toContain('did not arrive within 0.3 s');
    expect(answer.toLowerCase()).toContain('connection: close');
    expect(socket.closed).toBe(true);
    await budgetReturned();
  });

  test('that is slow with a large body is answered 408 too, and the lane is free again', async () => {
    webhook = await TestWebhook.start({ env: { AUDITING_WEBHOOK_BODY_TIMEOUT: '50ms' } });
    const socket = await webhook.socket();
    socket.write(`${head(20 * MIB)}{"items":`);
    expect(await answerOf(socket)).toMatch(/^HTTP\/1\.1 408 /);
    // Sent again where this machine is too busy to send it in time.
    const large = `[${event('a')}${' '.repeat(17 * MIB)}]`;
    await until(async () => (await webhook.post(large)).status === 200);
  });

  test('that breaks off in the middle costs nothing', async () => {
    webhook = await TestWebhook.start();
    for (const length of [100_000, 20 * MIB]) {
      const socket = await webhook.socket();
      socket.write(`${head(length)}{"items":[`);
      await sleep(50);
      webhook.reset(socket);
    }
    const gone = async (): Promise<number> =>
      webhook.metric('auditing_gateway_bodies_total', { code: 'gone' });
    await until(async () => (await gone()) === 2);
    await budgetReturned();
    expect(webhook.logged.filter(({ level }) => (level as number) >= 40)).toEqual([]);
    expect((await webhook.post(event('a'))).status).toBe(200);
    expect(await webhook.events()).toHaveLength(1);
  });

  test('may pipeline requests on one connection', async () => {
    webhook = await TestWebhook.start();
    const bodies = [event('1'), 'not JSON', event('2')];
    const socket = await webhook.socket();
    socket.write(bodies.map((body) => head(Buffer.byteLength(body)) + body).join(''));
    let answer = '';
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
    await until(() => (answer.match(/HTTP\/1/g)?.length ?? 0) === 3);
    expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual([
      'HTTP/1.1 200',
      'HTTP/1.1 400',
      'HTTP/1.1 200',
    ]);
    socket.destroy();
    expect(await webhook.events()).toHaveLength(2);
  });

  test('that is refused before its body is read sees the answer, and is cut off if it goes on', async () => {
    webhook = await TestWebhook.start({ env: { AUDITING_BODY_MAX_BYTES: '1MiB' } });
    const socket = await webhook.socket();
    socket.write(head(100 * MIB));
    const more = setInterval(() => socket.write(Buffer.alloc(64 * 1024, ' ')), 20);
    const answer = await answerOf(socket);
    clearInterval(more);
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(socket.closed).toBe(true);
  }, 300_000);

  test('of headers that are too long or no HTTP is refused', async () => {
    webhook = await TestWebhook.start();
    for (const text of [`GET /${'x'.repeat(20_000)} HTTP/1.1\r\n\r\n`, 'rubbish\r\n\r\n']) {
      const socket = await webhook.socket();
      socket.write(text);
      expect(await answerOf(socket)).toMatch(/^HTTP\/1\.1 4(00|31) /);
    }
  });

  test('waits without being read while there is no room, and is told to come again if none comes', async () => {
    webhook = await TestWebhook.start({
      env: { AUDITING_MEMORY_MAX_BYTES: '64MiB', AUDITING_WEBHOOK_BODY_TIMEOUT: '60s' },
    });
    const blocking = await Promise.all([webhook.socket(), webhook.socket()]);
    for (const socket of blocking) socket.write(head(Math.floor(3.9 * MIB)));
    await until(async () => (await inFlight()) > 23 * MIB);
    const big = `[${event('a')}${' '.repeat(MIB)}]`;
    const refused = await webhook.post(big);
    expect([refused.status, refused.headers['retry-after']]).toEqual([429, '1']);
    const patient = webhook.post(big);
    await sleep(100);
    expect(await webhook.metric('auditing_gateway_bodies_waiting')).toBe(1);
    for (const socket of blocking) socket.destroy();
    expect((await patient).status).toBe(200);
    await budgetReturned();
  });

  test('is one of 300 at once, with little memory: all are answered, nothing is lost or doubled', async () => {
    webhook = await TestWebhook.start({
      env: { AUDITING_MEMORY_MAX_BYTES: '64MiB' },
      waits: { roomMs: 20_000, answerMs: 20_000 },
    });
    const bodies = Array.from(
      { length: 300 },
      (_, n) => `[${event(`n${n}`, { requestObject: 'x'.repeat(n * 1_000) })}]`,
    );
    const answers = await Promise.all(bodies.map((body) => webhook.post(body)));
    expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
    const events = (await webhook.events()).map((bytes) => `[${bytes.toString()}]`);
    expect(events.sort()).toEqual(bodies.sort());
    await budgetReturned();
  }, 300_000);
});
