import { faultyDisk } from '@auditing/journal/faulty-files';
import { setTimeout as sleep } from 'node:timers/promises';
import { event } from './testing/gateway';
import { TestWebhook, until } from './testing/webhook';

let webhook: TestWebhook;
afterEach(() => webhook.remove());

const idOf = (bytes: Buffer): string =>
  (JSON.parse(bytes.toString()) as { auditID: string }).auditID;

describe('a disk', () => {
  test('that loses its power forgets nothing that was answered 200', async () => {
    let lost = 0;
    for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
      const disk = faultyDisk(seed);
      webhook = await TestWebhook.start({ files: disk.files, waits: { answerMs: 500 } });
      const answered = new Set<string>();
      disk.cutPowerAt(4 + seed * 4);
      const posts = Array.from({ length: 60 }, async (_, n) => {
        await sleep(n);
        const answer = await webhook.post(event(`${n}`)).catch(() => undefined);
        if (answer?.status === 200) answered.add(`${n}`);
      });
      await Promise.all(posts);
      await webhook.stop();
      disk.crash();
      await webhook.restart({ files: disk.files });
      const ids = (await webhook.events()).map(idOf);
      expect(new Set(ids).size).toBe(ids.length);
      for (const id of answered) expect(ids).toContain(id);
      lost += 60 - answered.size;
      // What was not answered is sent again, as kube-apiserver does; what was there all the same is known.
      const again = await Promise.all(
        Array.from({ length: 60 }, (_, n) => webhook.post(event(`${n}`))),
      );
      expect(again.filter(({ status }) => status !== 200)).toEqual([]);
      const all = (await webhook.events()).map(idOf);
      expect([all.length, new Set(all).size]).toEqual([60, 60]);
      await webhook.remove();
    }
    expect(lost).toBeGreaterThan(0);
  }, 300_000);

  test('that fails to sync is answered 503, and the next body is taken', async () => {
    const disk = faultyDisk(1);
    webhook = await TestWebhook.start({ files: disk.files });
    disk.failSync();
    const refused = await webhook.post(event('a'));
    expect([refused.status, refused.headers['retry-after']]).toEqual([503, '1']);
    expect((await webhook.post(event('a'))).status).toBe(200);
    expect((await webhook.events()).map(idOf)).toEqual(['a']);
    await webhook.stop();
    disk.crash();
    await webhook.restart({ files: disk.files });
    expect((await webhook.events()).map(idOf)).toEqual(['a']);
  });

  test('that is full is answered 503 until there is room', async () => {
    const disk = faultyDisk(1);
    webhook = await TestWebhook.start({ files: disk.files });
    expect((await webhook.post(event('a'))).status).toBe(200);
    disk.setCapacity(0);
    const refused = await webhook.post(event('b'));
    expect([refused.status, refused.headers['retry-after']]).toEqual([503, '5']);
    expect(refused.text).toContain('no room');
    disk.setCapacity(1e9);
    expect((await webhook.post(event('b'))).status).toBe(200);
    expect((await webhook.events()).map(idOf)).toEqual(['a', 'b']);
  });

  test('that damages what it holds does not stop the start, and the rest is known', async () => {
    const disk = faultyDisk(1);
    webhook = await TestWebhook.start({ files: disk.files });
    for (const id of ['a', 'b', 'c']) expect((await webhook.post(event(id))).status).toBe(200);
    const second = (await webhook.spooled())[1]!;
    await webhook.stop();
    const [path] = disk.paths().filter((name) => name.includes('/spool/'));
    disk.flip(path!, second.position + 40);
    await webhook.restart({ files: disk.files });
    for (const id of ['a', 'b', 'c']) expect((await webhook.post(event(id))).status).toBe(200);
    expect(await webhook.metric('auditing_gateway_resent_bodies_total')).toBe(2);
  });

  test('that is slow is answered 503 in time, and the body is known when it comes again', async () => {
    const disk = faultyDisk(1);
    let letGo = (): void => undefined;
    const slow = new Promise<void>((resolve) => (letGo = resolve));
    const files = {
      ...bound(disk.files),
      open: async (...args: Parameters<typeof disk.files.open>) => {
        const file = await disk.files.open(...args);
        if (!args[1].endsWith('durably')) return file;
        return {
          ...bound(file),
          write: (...written: Parameters<typeof file.write>) =>
            slow.then(() => file.write(...written)),
        };
      },
    };
    webhook = await TestWebhook.start({ files, waits: { answerMs: 100 } });
    const late = await webhook.post(event('a'));
    expect([late.status, late.headers['retry-after']]).toEqual([503, '1']);
    letGo();
    await until(async () => (await webhook.spooled()).length === 1);
    expect((await webhook.post(event('a'))).status).toBe(200);
    expect((await webhook.events()).map(idOf)).toEqual(['a']);
  });

  test('that has no room for the dead letter of a bad item is answered 503: the good ones wait for it', async () => {
    webhook = await TestWebhook.start();
    const { rm, writeFile } = await import('node:fs/promises');
    const folder = `${webhook.directory}/gateway/dead-letters`;
    await rm(folder, { recursive: true });
    await writeFile(folder, '');
    expect((await webhook.post(`[${event('a')},1]`)).status).toBe(503);
    expect(await webhook.events()).toEqual([]);
    expect((await webhook.post('rubbish')).status).toBe(400);
  });
});

/** The methods of an object, bound to it, so that it can be spread. */
function bound<T extends object>(object: T): T {
  const names = new Set<string>();
  for (let at: object = object; at !== Object.prototype; at = Object.getPrototypeOf(at) as object) {
    for (const name of Object.getOwnPropertyNames(at)) names.add(name);
  }
  const methods = [...names].map(
    (name) => [name, (object as Record<string, unknown>)[name]] as const,
  );
  return Object.fromEntries(
    methods.map(([name, value]) => [
      name,
      typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(object) : value,
    ]),
  ) as T;
}
