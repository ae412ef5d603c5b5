import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { request } from 'node:https';
import { createGzip, gzipSync } from 'node:zlib';
import { faultyDisk } from '@auditing/journal/faulty-files';
import { LargeBodyFile } from './large-body-file';
import { SenderGoneError } from './refusal';
import { event } from './testing/gateway';
import { TestWebhook } from './testing/webhook';

const MIB = 2 ** 20;
/** 100 MB are a long way on a busy machine. */
jest.setTimeout(300_000);
let webhook: TestWebhook;
afterEach(() => webhook.remove());

/** Posts a body that is made while it is sent, so that the test itself needs no memory for it. */
async function postMade(
  pieces: Iterable<string>,
  options: { gzip?: boolean } = {},
): Promise<number> {
  const headers = options.gzip ? { 'Content-Encoding': 'gzip' } : {};
  const req = request(webhook.url, { method: 'POST', agent: webhook.agent, headers });
  const answered = once(req, 'response') as Promise<[{ statusCode: number; resume(): void }]>;
  // A server may answer before all is sent.
  answered.catch(() => undefined);
  const out = options.gzip ? createGzip({ level: 1 }) : req;
  if (out !== req) out.pipe(req);
  for (const piece of pieces) if (!out.write(piece)) await once(out, 'drain');
  out.end();
  const [response] = await answered;
  response.resume();
  return response.statusCode;
}

const detail = 'A few words of a request object, as they stand in real ones. '.repeat(30);
function* listOf(count: number, between = ','): Generator<string> {
  yield '{"kind":"EventList","items":[';
  for (let n = 0; n < count; n++) {
    yield (n === 0 ? '' : between) + event(`${n}`, { requestObject: { detail } });
  }
  yield ']}\n';
}
const EVENT_BYTES = event('0', { requestObject: { detail } }).length;

async function idsInSpool(): Promise<string[]> {
  return (await webhook.events()).map(
    (bytes) => (JSON.parse(bytes.toString()) as { auditID: string }).auditID,
  );
}
const idsUpTo = (count: number): string[] => Array.from({ length: count }, (_, n) => `${n}`);

describe('a large body', () => {
  test.each([{ gzip: false }, { gzip: true }])(
    'of 100 MB is answered 200 and costs little memory (%j)',
    async (options) => {
      webhook = await TestWebhook.start({ env: { AUDITING_MEMORY_MAX_BYTES: '128MiB' } });
      const count = Math.ceil((100 * MIB) / EVENT_BYTES);
      global.gc?.();
      const before = process.memoryUsage.rss();
      let most = 0;
      const watch = setInterval(() => (most = Math.max(most, process.memoryUsage.rss())), 20);
      const began = performance.now();
      const status = await postMade(listOf(count), options);
      const ms = performance.now() - began;
      clearInterval(watch);
      process.stderr.write(
        `100 MB: ${ms.toFixed()} ms, +${((most - before) / MIB).toFixed()} MiB\n`,
      );
      expect(status).toBe(200);
      expect(most - before).toBeLessThan(400 * MIB);
      expect(await idsInSpool()).toEqual(idsUpTo(count));
      expect(await readdir(`${webhook.directory}/gateway/large-bodies`)).toEqual([]);
      const parts = await webhook.spooled();
      expect(Math.max(...parts.map(({ batch }) => batch.block?.rawBytes ?? 0))).toBeLessThanOrEqual(
        MIB,
      );
    },
  );

  test('does not keep small ones waiting', async () => {
    webhook = await TestWebhook.start();
    const answered: string[] = [];
    const large = postMade(listOf(20_000)).finally(() => answered.push('large'));
    for (let n = 0; n < 30; n++) {
      expect((await webhook.post(event(`small ${n}`))).status).toBe(200);
      answered.push('small');
    }
    expect(answered.slice(0, 5)).toEqual(Array(5).fill('small'));
    expect(await large).toBe(200);
  });

  test('that a full disk cut short goes on where it was when it is sent again', async () => {
    const disk = faultyDisk(1);
    webhook = await TestWebhook.start({ files: disk.files });
    disk.failSync(5);
    expect(await postMade(listOf(10_000))).toBe(503);
    const taken = await idsInSpool();
    expect(taken.length).toBeGreaterThan(0);
    expect(taken.length).toBeLessThan(10_000);
    await webhook.stop();
    disk.crash();
    await webhook.restart({ files: disk.files });
    expect(await postMade(listOf(10_000))).toBe(200);
    expect(await idsInSpool()).toEqual(idsUpTo(10_000));
    expect(await postMade(listOf(10_000), { gzip: true })).toBe(200);
    expect(await webhook.metric('auditing_gateway_resent_bodies_total')).toBe(1);
    expect(await idsInSpool()).toHaveLength(10_000);
  });

  test('may be one event of 20 MB among others, and bad items are dead letters', async () => {
    webhook = await TestWebhook.start();
    const big = event('big', { responseObject: { data: 'x'.repeat(20 * MIB) } });
    expect((await webhook.post(`[${event('a')},17,${big},"text",${event('b')}]`)).status).toBe(200);
    expect(await idsInSpool()).toEqual(['a', 'big', 'b']);
    expect((await webhook.events())[1]?.toString()).toBe(big);
    const { deadLetters } = webhook.intake;
    const letters = await Promise.all(
      deadLetters.list(10).map(({ hash }) => deadLetters.get(hash)),
    );
    expect(letters.map((letter) => [letter?.kind, letter?.data.toString()]).sort()).toEqual([
      ['item', '"text"'],
      ['item', '17'],
    ]);
  });

  test('with an event of more than 64 MiB loses that one, which is cut and says how big it was', async () => {
    webhook = await TestWebhook.start();
    const big = event('big', { responseObject: { data: 'x'.repeat(65 * MIB) } });
    expect((await webhook.post(`[${event('a')},${big}]`)).status).toBe(200);
    expect(await idsInSpool()).toEqual(['a']);
    const { deadLetters } = webhook.intake;
    const letter = await deadLetters.get(deadLetters.list(1)[0]!.hash);
    expect(letter).toMatchObject({ kind: 'item', dataBytes: BigInt(big.length) });
    expect(letter?.data.length).toBe(deadLetters.maxDataBytes);
  });

  test('that is damaged is answered 400 before anything of it is written, and kept in part', async () => {
    webhook = await TestWebhook.start();
    const pieces = [...listOf(10_000)].slice(0, -1);
    expect(await postMade(pieces)).toBe(400);
    expect(await webhook.events()).toEqual([]);
    const { deadLetters } = webhook.intake;
    const letter = await deadLetters.get(deadLetters.list(1)[0]!.hash);
    expect(letter).toMatchObject({ kind: 'body', dataBytes: BigInt(pieces.join('').length) });
    expect(
      await postMade(['[', '1,'.repeat((9 * MIB) / 100), '1', ' '.repeat(17 * MIB), ']']),
    ).toBe(400);
    expect(await webhook.events()).toEqual([]);
  });

  test('over the limit is answered 413, and the next one is taken', async () => {
    webhook = await TestWebhook.start({ env: { AUDITING_BODY_MAX_BYTES: '20MiB' } });
    const count = Math.ceil((21 * MIB) / EVENT_BYTES);
    const packed = await postMade(listOf(count), { gzip: true }).catch(() => 413);
    expect(packed).toBe(413);
    expect(await readdir(`${webhook.directory}/gateway/large-bodies`)).toEqual([]);
    expect(await postMade(listOf(Math.floor((18 * MIB) / EVENT_BYTES)))).toBe(200);
  });

  test('that is no gzip after its first bytes is answered 400', async () => {
    webhook = await TestWebhook.start();
    const packed = Buffer.concat([Buffer.from([0x1f, 0x8b, 8, 0]), Buffer.alloc(17 * MIB, 0xff)]);
    const answer = await webhook.post(packed, { 'Content-Encoding': 'gzip' });
    expect([answer.status, answer.text]).toEqual([400, expect.stringContaining('not gzip')]);
    expect(webhook.intake.deadLetters.count).toBe(1);
  });

  test.each([true, false])('whose sender goes away fails with that (gzip: %j)', async (gzip) => {
    webhook = await TestWebhook.start();
    const file = await LargeBodyFile.create(webhook.directory);
    async function* broken(): AsyncGenerator<Buffer> {
      yield gzipSync('x'.repeat(1_000)).subarray(0, 20);
      await Promise.reject(new SenderGoneError('gone'));
    }
    const written = file.write(broken(), { maxBytes: MIB, gzip });
    await expect(written).rejects.toThrow(SenderGoneError);
    await file.remove();
  });
});
