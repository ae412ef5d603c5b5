import { existsSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { CORPUS, readBodies, TESTDATA } from '@auditing/audit-event/testing/bodies';
import { splitBody } from '@auditing/audit-event/split-body';
import { event, hubEvent } from './testing/gateway';
import { TestWebhook } from './testing/webhook';

const MIB = 2 ** 20;
const webhooks: TestWebhook[] = [];

async function start(...args: Parameters<typeof TestWebhook.start>): Promise<TestWebhook> {
  const webhook = await TestWebhook.start(...args);
  webhooks.push(webhook);
  return webhook;
}

afterEach(async () => {
  for (const webhook of webhooks.splice(0)) await webhook.remove();
});

// Typed, because jest's own are `any`.
const containing = (text: string): unknown => expect.stringContaining(text);
const matching = (pattern: RegExp): unknown => expect.stringMatching(pattern);
const list = (...events: string[]): string => `{"kind":"EventList","items":[${events.join(',')}]}`;

describe('a good body', () => {
  test('is answered 200 with an empty JSON string, and its events are in the spool byte for byte', async () => {
    const webhook = await start();
    const answer = await webhook.post(list(event('a'), event('b')));
    expect([answer.status, answer.text]).toEqual([200, '""']);
    expect(answer.headers['content-type']).toMatch('application/json');
    expect((await webhook.events()).map(String)).toEqual([event('a'), event('b')]);
    expect(await webhook.metric('auditing_gateway_events_received_total')).toBe(2);
    expect(await webhook.metric('auditing_gateway_bodies_total', { code: '200' })).toBe(1);
  });

  test('may have any of the forms that senders use, a query, and a slash at the end', async () => {
    const webhook = await start();
    const url = webhook.url.pathname;
    const forms = [
      `{"Items":[${hubEvent('1')}]}`,
      `[${event('2')}]`,
      event('3'),
      hubEvent('4') + hubEvent('5'),
      `${event('6')}\n${event('7')}\n`,
    ];
    for (const form of forms) expect((await webhook.post(form)).status).toBe(200);
    for (const path of [`${url}?timeout=30s`, `${url}/`]) {
      const body = event(path);
      expect((await webhook.send({ method: 'POST', path }, body)).status).toBe(200);
    }
    expect(await webhook.events()).toHaveLength(9);
    expect(
      await webhook.metric('auditing_gateway_events_received_total', { source: 'kube-ai-hub' }),
    ).toBe(3);
  });

  test('may be an empty list, which leaves nothing', async () => {
    const webhook = await start();
    for (const body of ['{"items":[]}', '{"Items":null}', '[]']) {
      expect((await webhook.post(body)).status).toBe(200);
    }
    expect(await webhook.events()).toEqual([]);
  });

  test.each([
    '',
    'application/json; charset=utf-8',
    'APPLICATION/JSON',
    'application/cloudevents+json',
    'application/x-ndjson',
  ])('may have the type %j', async (type) => {
    const webhook = await start();
    const headers = type === '' ? {} : { 'Content-Type': type };
    const answer = await webhook.send({ method: 'POST', headers }, event('a'));
    expect(answer.status).toBe(200);
  });

  test('may be gzipped, and chunked', async () => {
    const webhook = await start();
    const body = list(...Array.from({ length: 300 }, (_, n) => event(`gzip ${n}`)));
    expect((await webhook.post(gzipSync(body), { 'Content-Encoding': 'gzip' })).status).toBe(200);
    const chunked = { method: 'POST', headers: { 'Transfer-Encoding': 'chunked' } };
    expect((await webhook.send(chunked, list(event('chunked')))).status).toBe(200);
    expect(await webhook.events()).toHaveLength(301);
  });

  test('is kept byte for byte, whatever is in it: every body of the corpus', async () => {
    const webhook = await start();
    const bodies = readBodies(existsSync(CORPUS) ? CORPUS : TESTDATA);
    expect(bodies.length).toBeGreaterThan(10);
    const expected = new Map<string, number>();
    for (const { name, bytes } of bodies) {
      expect([name, (await webhook.post(bytes)).status]).toEqual([name, 200]);
      for (const slice of splitBody(bytes).slices) {
        const key = slice.toString('latin1');
        expected.set(key, (expected.get(key) ?? 0) + 1);
      }
    }
    for (const slice of await webhook.events()) {
      const key = slice.toString('latin1');
      expected.set(key, (expected.get(key) ?? 0) - 1);
    }
    expect([...expected.values()].filter((left) => left !== 0)).toEqual([]);
  }, 300_000);
});

describe('a bad body', () => {
  const NOT_EVENTS = [
    'not JSON',
    '',
    '{"items":[1,2]}',
    '{"items":[{"a":1}',
    '"text"',
    '{"a":1}',
    '{"items":7}',
  ];

  test.each(NOT_EVENTS)(
    '%j is answered 400 with what is wrong and where, and kept once',
    async (body) => {
      const webhook = await start();
      for (let n = 0; n < 3; n++) {
        const answer = await webhook.post(body);
        expect(answer.status).toBe(400);
        expect(JSON.parse(answer.text)).toEqual({
          error: matching(/\w+ \w+/),
          at: matching(/^(\$|byte \d)/),
        });
      }
      const { deadLetters } = webhook.intake;
      const [letter] = deadLetters.list(10);
      expect(deadLetters.count).toBe(1);
      expect((await deadLetters.get(letter!.hash))?.data.toString()).toBe(body);
      expect(await webhook.metric('auditing_gateway_dead_letters_total', { kind: 'body' })).toBe(1);
      expect(await webhook.events()).toEqual([]);
    },
  );

  test('with some bad items is answered 200: the good are spooled, the bad are dead letters', async () => {
    const webhook = await start();
    const body = list(event('a'), '17', event('b'), '"text"');
    expect((await webhook.post(body)).status).toBe(200);
    expect(await webhook.events()).toHaveLength(2);
    const { deadLetters } = webhook.intake;
    const [entry] = deadLetters.list(10);
    expect(await deadLetters.get(entry!.hash)).toMatchObject({
      kind: 'item',
      data: Buffer.from('17\n"text"'),
      reason: containing('$.items[1]'),
    });
  });

  test('that is no gzip, or half of one, is answered 400', async () => {
    const webhook = await start();
    const packed = gzipSync(event('a'));
    for (const body of [Buffer.from(event('a')), packed.subarray(0, packed.length / 2)]) {
      const answer = await webhook.post(body, { 'Content-Encoding': 'gzip' });
      expect([answer.status, answer.text]).toEqual([400, expect.stringContaining('not gzip')]);
    }
    expect(webhook.intake.deadLetters.count).toBe(2);
  });

  test('of another type or encoding is answered 415', async () => {
    const webhook = await start();
    const bad: Record<string, string>[] = [
      { 'Content-Type': 'text/plain' },
      { 'Content-Encoding': 'br' },
    ];
    for (const headers of bad) {
      const answer = await webhook.post(event('a'), headers);
      expect([answer.status, answer.text]).toEqual([
        415,
        expect.stringContaining('expected Content-'),
      ]);
    }
  });

  test('at a wrong path is answered 404, with a wrong method 405, never with a redirect', async () => {
    const webhook = await start();
    const at = async (method: string, path: string): Promise<number> =>
      (await webhook.send({ method, path })).status;
    expect(await at('POST', '/')).toBe(404);
    expect(await at('POST', '/audit//webhook/event')).toBe(404);
    expect(await at('DELETE', '/readiness')).toBe(405);
    const answer = await webhook.send({ method: 'GET' });
    expect([answer.status, answer.headers.allow]).toEqual([405, 'POST']);
    expect(answer.text).toContain('expected POST');
  });

  test('over the limit is answered 413, whether it says its size or not, packed or not', async () => {
    const webhook = await start({ env: { AUDITING_BODY_MAX_BYTES: '1MiB' } });
    const body = list(event('a', { requestObject: 'x'.repeat(2 * MIB) }));
    expect((await webhook.post(body)).status).toBe(413);
    const chunked = { method: 'POST', headers: { 'Transfer-Encoding': 'chunked' } };
    expect((await webhook.send(chunked, body)).status).toBe(413);
    const packed = await webhook.post(gzipSync(body), { 'Content-Encoding': 'gzip' });
    expect(packed.status).toBe(413);
    expect(JSON.parse(packed.text)).toEqual({ error: containing('1048576 bytes') });
    expect((await webhook.post(list(event('b')))).status).toBe(200);
    expect(await webhook.events()).toHaveLength(1);
  });

  test('that is a gzip bomb costs little and is answered 413', async () => {
    const webhook = await start({ env: { AUDITING_BODY_MAX_BYTES: '64MiB' } });
    const bomb = gzipSync(Buffer.alloc(512 * MIB, ' '));
    expect(bomb.length).toBeLessThan(MIB);
    const before = process.memoryUsage().rss;
    const answer = await webhook.post(bomb, { 'Content-Encoding': 'gzip' });
    expect(answer.status).toBe(413);
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * MIB);
  }, 300_000);
});

describe('a re-sent body', () => {
  test('is answered 200 without work, also while the first is under way and after a restart', async () => {
    const webhook = await start();
    const body = list(event('a'));
    const answers = await Promise.all(Array.from({ length: 5 }, () => webhook.post(body)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    await webhook.stop();
    await webhook.restart();
    expect((await webhook.post(body)).status).toBe(200);
    expect((await webhook.post(gzipSync(body), { 'Content-Encoding': 'gzip' })).status).toBe(200);
    expect(await webhook.events()).toHaveLength(1);
    expect(await webhook.metric('auditing_gateway_resent_bodies_total')).toBe(2);
  });
});

describe('the port', () => {
  test('says ready and alive only when that is true', async () => {
    const webhook = await start();
    for (const path of ['/readiness', '/liveness']) {
      expect((await webhook.send({ method: 'GET', path })).status).toBe(200);
    }
    await webhook.stop();
    await webhook.restart({ env: { AUDITING_SPOOL_MAX_BYTES: '64KiB' } });
    const answer = await webhook.send({ method: 'GET', path: '/readiness' });
    expect([answer.status, answer.text]).toEqual([503, expect.stringContaining('spool is full')]);
  });

  test('speaks HTTP/1.1 only, also to who offers h2', async () => {
    const webhook = await start();
    const socket = await webhook.socket();
    expect(socket.alpnProtocol).toBe('http/1.1');
    socket.destroy();
  });

  test('serves plain HTTP where TLS is off', async () => {
    const webhook = await start({ env: { AUDITING_WEBHOOK_TLS: 'off' } });
    expect(webhook.url.protocol).toBe('http:');
    expect((await webhook.post(event('a'))).status).toBe(200);
  });

  test('asks for the token that is set', async () => {
    const webhook = await start({ env: { AUDITING_WEBHOOK_TOKEN: 'secret' } });
    const post = async (headers: Record<string, string>): Promise<number> =>
      (await webhook.post(event('a'), headers)).status;
    expect(await post({})).toBe(401);
    expect(await post({ Authorization: 'Bearer wrong' })).toBe(401);
    expect(await post({ Authorization: 'Basic c2VjcmV0' })).toBe(401);
    expect(await post({ Authorization: 'Bearer secret' })).toBe(200);
    expect(JSON.stringify(webhook.logged)).not.toContain('secret"');
  });
});
