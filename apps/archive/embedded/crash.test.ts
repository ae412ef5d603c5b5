import { faultyDisk, type FaultyDisk } from '@auditing/journal/faulty-files';
import type { KeptBatch } from '@auditing/proto/archive';
import { status } from '@grpc/grpc-js';
import fc from 'fast-check';

import { batchOf, eventBytes } from '../testing/batches';
import { allTexts, openEngine } from '../testing/engines';
import type { EmbeddedEngine } from './embedded-engine';

const DIRECTORY = '/data/archive';
const SEGMENT = { bytes: 2 ** 30, rows: 7, indexBytes: 2 ** 30, ageMs: 2 ** 40 };

function open(disk: FaultyDisk): Promise<EmbeddedEngine> {
  return openEngine({ directory: DIRECTORY, files: disk.files, segment: SEGMENT });
}

interface Sent {
  readonly batch: KeptBatch;
  readonly texts: readonly string[];
}

/** Batches of events that are all different; some of them have no audit id, so that only the batch id protects them. */
async function batches(count: number): Promise<Sent[]> {
  return Promise.all(
    Array.from({ length: count }, async (_, batch) => {
      const events = [0, 1, 2].map((event) =>
        eventBytes({
          auditId: batch % 3 === 0 ? '' : `id-${batch}-${event}`,
          name: `${batch}-${event}`,
          atUs: batch * 1e6,
        }),
      );
      return { batch: await batchOf(events), texts: events.map(String) };
    }),
  );
}

/** Sends batches until one fails; gives the texts that were acknowledged. */
async function sendUntilFailure(engine: EmbeddedEngine, sent: readonly Sent[]): Promise<string[]> {
  const acknowledged: string[] = [];
  for (const { batch, texts } of sent) {
    try {
      await engine.append(batch, 0n);
    } catch {
      break;
    }
    acknowledged.push(...texts);
  }
  return acknowledged;
}

function sorted(texts: readonly string[]): string[] {
  return [...texts].sort();
}

test('after a power cut at any moment everything acknowledged is there once, and the rest after sending it again', async () => {
  const sent = await batches(12);
  const all = sorted(sent.flatMap(({ texts }) => texts));
  const cuts = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(fc.integer(), cuts, async (seed, moments) => {
      const disk = faultyDisk(seed);
      const acknowledged = new Set<string>();
      for (const moment of moments) {
        disk.cutPowerAt(moment);
        const engine = await open(disk).catch(() => undefined);
        if (engine !== undefined) {
          for (const text of await sendUntilFailure(engine, sent)) acknowledged.add(text);
          await engine.close().catch(() => undefined);
        }
        disk.crash();
        const survived = await open(disk);
        const texts = await allTexts(survived);
        expect(new Set(texts).size).toBe(texts.length);
        expect(texts).toEqual(expect.arrayContaining([...acknowledged]));
        await survived.close();
      }
      const last = await open(disk);
      expect(await sendUntilFailure(last, sent)).toHaveLength(all.length);
      expect(sorted(await allTexts(last))).toEqual(all);
      await last.close();
    }),
    { numRuns: 60 },
  );
}, 300_000);

test('a sync or write that fails is answered with UNAVAILABLE, and the batch is stored once when it is sent again', async () => {
  const sent = await batches(10);
  const all = sorted(sent.flatMap(({ texts }) => texts));
  await fc.assert(
    fc.asyncProperty(
      fc.integer(),
      fc.integer({ min: 1, max: 40 }),
      fc.boolean(),
      async (seed, nth, isSync) => {
        const disk = faultyDisk(seed);
        const engine = await open(disk);
        if (isSync) disk.failSync(nth);
        else disk.failWrite(nth);
        for (const { batch } of sent) {
          await engine.append(batch, 0n).catch(async (error: unknown) => {
            expect(error).toMatchObject({ code: status.UNAVAILABLE });
            await engine.append(batch, 0n);
          });
        }
        expect(sorted(await allTexts(engine))).toEqual(all);
        await engine.close();
        disk.crash();
        const survived = await open(disk);
        expect(sorted(await allTexts(survived))).toEqual(all);
        await survived.close();
      },
    ),
    { numRuns: 60 },
  );
}, 300_000);

test('a full disk refuses batches, answers queries, and goes on when there is room', async () => {
  const sent = await batches(12);
  const disk = faultyDisk(7);
  const engine = await open(disk);
  const before = await sendUntilFailure(engine, sent.slice(0, 4));
  disk.setCapacity(1);
  await expect(engine.append(sent[4]!.batch, 0n)).rejects.toMatchObject({
    code: status.UNAVAILABLE,
  });
  expect(sorted(await allTexts(engine))).toEqual(sorted(before));
  disk.setCapacity(2 ** 30);
  await sendUntilFailure(engine, sent);
  expect(await allTexts(engine)).toHaveLength(36);
  await engine.close();
});

test('sidecars that cannot be written cost nothing but time', async () => {
  const sent = await batches(12);
  const disk = faultyDisk(11);
  const engine = await open(disk);
  const { files } = disk;
  const { open: openFile } = files;
  files.open = (path, mode) =>
    path.includes('.idx')
      ? Promise.reject(new Error('no sidecars here'))
      : openFile.call(files, path, mode);
  await sendUntilFailure(engine, sent);
  expect(await allTexts(engine)).toHaveLength(36);
  expect(await engine.append(sent[1]!.batch, 0n)).toMatchObject({ duplicateCount: 3 });
  await engine.close();
  files.open = openFile;
  const reopened = await open(disk);
  expect(await allTexts(reopened)).toHaveLength(36);
  await reopened.close();
});

test('a disk that cannot be read is answered with UNAVAILABLE, never as a fault of the batch', async () => {
  const sent = await batches(12);
  const disk = faultyDisk(13);
  const engine = await openEngine({
    directory: DIRECTORY,
    files: disk.files,
    segment: SEGMENT,
    indexCacheBytes: 1,
  });
  await sendUntilFailure(engine, sent);
  const { files } = disk;
  const { open: openFile } = files;
  files.open = (path, mode) =>
    mode === 'read'
      ? Promise.reject(Object.assign(new Error('EIO'), { code: 'EIO' }))
      : openFile.call(files, path, mode);
  const late = await batchOf([eventBytes({ auditId: 'late', atUs: 1e6 })]);
  await expect(engine.append(late, 0n)).rejects.toMatchObject({ code: status.UNAVAILABLE });
  files.open = openFile;
  expect(await engine.append(late, 0n)).toMatchObject({ archivedCount: 1 });
  expect(await allTexts(engine)).toHaveLength(37);
  await engine.close();
});
