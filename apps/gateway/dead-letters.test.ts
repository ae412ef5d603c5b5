import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DeadLetters, type DeadLetterEntry, type NewDeadLetter } from './dead-letters';

let directory: string;
let evicted: DeadLetterEntry[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dead-letters-'));
  evicted = [];
});
afterEach(() => rm(directory, { recursive: true }));

const open = (maxBytes = 1 << 20, maxCount = 100): Promise<DeadLetters> =>
  DeadLetters.open({ directory, maxBytes, maxCount, onEvicted: (entry) => evicted.push(entry) });
const letter = (text: string, receivedAtUs = 1): NewDeadLetter => ({
  kind: 'body',
  receivedAtUs,
  reason: 'expected JSON',
  data: Buffer.from(text),
  peer: '10.0.0.1',
});

describe('dead letters', () => {
  test('are kept once, found again after a restart, and removed', async () => {
    const store = await open();
    expect(await Promise.all([store.add(letter('x')), store.add(letter('x', 2))])).toEqual([
      true,
      false,
    ]);
    const reopened = await open();
    const [entry] = reopened.list(10);
    const kept = await reopened.get(entry!.hash);
    expect(kept).toMatchObject({
      kind: 'body',
      reason: 'expected JSON',
      peer: '10.0.0.1',
      dataBytes: 1n,
    });
    expect(kept?.data.toString()).toBe('x');
    expect(await reopened.remove(entry!.hash)).toBe(true);
    expect(await reopened.remove(entry!.hash)).toBe(false);
    expect([reopened.count, reopened.bytes]).toEqual([0, 0]);
    expect(await readdir(directory)).toEqual([]);
  });

  test('the oldest make room, by count', async () => {
    const store = await open(1 << 20, 3);
    for (let n = 1; n <= 5; n++) await store.add(letter(`body ${n}`, n));
    expect(store.list(10).map(({ receivedAtUs }) => receivedAtUs)).toEqual([5, 4, 3]);
    expect(evicted.map(({ receivedAtUs }) => receivedAtUs)).toEqual([1, 2]);
  });

  test('the oldest make room, by bytes; a big one is cut and says how big it was', async () => {
    const maxBytes = 1 << 16;
    const store = await open(maxBytes);
    for (let n = 1; n <= 20; n++) await store.add(letter(`${n}`.repeat(30_000), n));
    expect(store.bytes).toBeLessThanOrEqual(maxBytes);
    expect(store.count).toBeGreaterThan(3);
    expect(evicted[0]?.receivedAtUs).toBe(1);
    const kept = await store.get(store.list(1)[0]!.hash);
    expect(kept?.dataBytes).toBe(60_000n);
    expect(kept?.data.length).toBe(store.maxDataBytes);
  });

  test('pages go on after a letter', async () => {
    const store = await open();
    for (let n = 1; n <= 5; n++) await store.add(letter(`body ${n}`, n));
    const first = store.list(2);
    const second = store.list(2, first[1]!.hash);
    expect([...first, ...second].map(({ receivedAtUs }) => receivedAtUs)).toEqual([5, 4, 3, 2]);
  });

  test('a letter that a crash cut short is not there, and its remains are removed', async () => {
    await writeFile(join(directory, `1-body-${'0'.repeat(64)}.letter.unfinished`), 'half');
    expect((await open()).count).toBe(0);
    expect(await readdir(directory)).toEqual([]);
  });
});
