import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { decodeBody } from '@auditing/audit-event/decode-body';
import { decodedEvents } from '@auditing/audit-event/decoded-batch';
import { Spool, SpoolFullError, type SpoolOptions, type SpoolPart } from './spool';
import type { SpooledBody } from './spooled-bodies';
import { event } from './testing/gateway';

let directory: string;
let spool: Spool;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'spool-'));
  spool = await open();
});
afterEach(async () => {
  await spool.close();
  await rm(directory, { recursive: true });
});

const open = (options: Partial<SpoolOptions> = {}): Promise<Spool> =>
  Spool.open({ directory, maxBytes: 2 ** 30, memoryBytes: 2 ** 20, ...options });

async function put(...ids: string[]): Promise<void> {
  const body = Buffer.from(`[${ids.map((id) => event(id)).join(',')}]`);
  const bodyHash = createHash('sha256').update(body).digest();
  await spool.put(await decodeBody(body), { receivedAtUs: 7, bodyHash });
}

const idsOf = async ({ batch, listSource }: SpoolPart): Promise<unknown[]> =>
  (await decodedEvents(batch, listSource)).map((decoded) => decoded.get('AuditID'));

/** Takes parts until there are `count`. */
async function take(count: number, from = 0): Promise<SpoolPart[]> {
  const parts: SpoolPart[] = [];
  for await (const part of spool.parts(from, AbortSignal.timeout(60_000))) {
    parts.push(part);
    if (parts.length === count) break;
  }
  return parts;
}

describe('spool', () => {
  test('gives parts in order to each reader, also those that come while it waits, from memory or from disk', async () => {
    // 1 MiB of memory holds half a dozen of these bodies: a reader from the start finds old ones on disk.
    const count = 60;
    const detail = 'x'.repeat(40_000);
    const early = take(count);
    for (let n = 0; n < count; n++) {
      const body = Buffer.from(event(`${n}`, { requestObject: detail }));
      await spool.put(await decodeBody(body), { receivedAtUs: 7, bodyHash: Buffer.alloc(32, n) });
      if (n % 10 === 0) await sleep(1);
    }
    const late = await take(count);
    const expected = Array.from({ length: count }, (_, n) => [`${n}`]);
    expect(await Promise.all((await early).map(idsOf))).toEqual(expected);
    expect(await Promise.all(late.map(idsOf))).toEqual(expected);
    expect(late.map(({ batch }) => batch.id?.sequence)).toEqual(
      expected.map((_, n) => BigInt(n + 1)),
    );
    for (const [index, { next }] of late.entries()) {
      expect(next).toBeLessThanOrEqual(late[index + 1]?.position ?? spool.end);
    }
    expect(await idsOf((await take(1, late[30]?.next))[0]!)).toEqual(['31']);
  });

  test('cuts a body at a megabyte and at 4096 events', async () => {
    const big = Buffer.from(
      `[${Array.from({ length: 5 }, (_, n) => event(`${n}`, { requestObject: 'x'.repeat(400_000) })).join(',')}]`,
    );
    await spool.put(await decodeBody(big), { receivedAtUs: 7, bodyHash: Buffer.alloc(32) });
    const many = Buffer.from(`{"Items":[${'{},'.repeat(5_000)}{}]}`);
    await spool.put(await decodeBody(many), { receivedAtUs: 7, bodyHash: Buffer.alloc(32) });
    const parts = await take(5);
    expect(
      parts.map(({ batch }) => [batch.id?.sequence, batch.id?.part, batch.eventCount]),
    ).toEqual([
      [1n, 0, 2],
      [1n, 1, 2],
      [1n, 2, 1],
      [2n, 0, 4_096],
      [2n, 1, 905],
    ]);
  });

  test('ends its readers when they are told to, also while they wait', async () => {
    await put('a');
    const stop = new AbortController();
    const parts: SpoolPart[] = [];
    const reading = (async () => {
      for await (const part of spool.parts(0, stop.signal)) parts.push(part);
    })();
    await sleep(20);
    stop.abort();
    await reading;
    expect(parts).toHaveLength(1);
  });

  test('has a new epoch at each start, and says which bodies it holds', async () => {
    await put('a', 'b');
    const { epoch } = spool;
    await spool.close();
    const bodies: SpooledBody[] = [];
    spool = await open({ onSpooledBody: (body) => bodies.push(body) });
    expect(spool.epoch).toMatch(/^[0-9a-f]{16}$/);
    expect(spool.epoch).not.toBe(epoch);
    expect(bodies).toMatchObject([{ eventCount: 2, whole: true }]);
    expect((await take(1))[0]?.batch).toMatchObject({
      id: { epoch, sequence: 1n },
      receivedAtUs: 7,
    });
  });

  test('looks at start only at segments that may hold bodies of the last quarter of an hour', async () => {
    let now = 0;
    await spool.close();
    spool = await open({ now: () => now, segmentBytes: 1 });
    for (const minutes of [0, 10, 60, 70]) {
      now = minutes * 60_000;
      const body = await decodeBody(Buffer.from(event(`${minutes}`)));
      await spool.put(body, { receivedAtUs: 7, bodyHash: Buffer.alloc(32, minutes) });
    }
    await spool.close();
    const minutes: (number | undefined)[] = [];
    spool = await open({
      now: () => now,
      onSpooledBody: ({ bodyHash }) => minutes.push(bodyHash[0]),
    });
    expect(minutes.slice(-2)).toEqual([60, 70]);
    expect(minutes).not.toContain(0);
  });

  test('is full at its limit, and takes bodies again when it was drained', async () => {
    await spool.close();
    spool = await open({ maxBytes: 2 * 2 ** 20, segmentBytes: 100_000 });
    const fill = async (): Promise<void> => {
      const noise = randomBytes(100_000).toString('base64');
      const body = await decodeBody(Buffer.from(event('a', { requestObject: noise })));
      await spool.put(body, { receivedAtUs: 7, bodyHash: Buffer.alloc(32) });
    };
    expect(await spool.hasRoom()).toBe(true);
    const fillUp = async (): Promise<void> => {
      for (let n = 0; n < 40; n++) await fill();
    };
    await expect(fillUp()).rejects.toThrow(SpoolFullError);
    expect(await spool.hasRoom()).toBe(false);
    await spool.trim(spool.end);
    expect(await spool.hasRoom()).toBe(true);
    await fill();
  });
});
