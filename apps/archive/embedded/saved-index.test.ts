import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { nodeFiles } from '@auditing/journal/node-files';
import { FacetsRequest, type KeptBatch } from '@auditing/proto/archive';
import { Field } from '@auditing/proto/event';
import { pino } from 'pino';

import { INDEXED_FIELDS } from '../indexed-fields';
import { batchOf, eventBytes, type EventSketch } from '../testing/batches';
import { allTexts, never, openEngine } from '../testing/engines';
import type { EmbeddedEngine } from './embedded-engine';
import { readSavedIndex, saveIndex } from './saved-index';
import { SegmentIndex } from './segment-index';

let directory: string;
let warnings: string[];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'archive-'));
  warnings = [];
});
afterEach(() => rm(directory, { recursive: true }));

const open = (rows = 1000): Promise<EmbeddedEngine> =>
  openEngine({
    directory,
    segment: { bytes: 2 ** 30, rows, indexBytes: 2 ** 30, ageMs: 2 ** 40 },
    log: pino({ level: 'warn' }, { write: (line) => warnings.push(line) }),
  });

const sketch = (index: number): EventSketch => ({
  // Ids that are UUIDs, that are not, and none.
  ...(index % 3 === 0 ? {} : { auditId: index % 3 === 1 ? `id-${index}` : uuid(index) }),
  atUs: (index * 7) % 50,
  user: `user-${index % 4}`,
  groups: index % 2 === 0 ? ['a', 'b'] : [],
  name: `name-${index}`,
});

const uuid = (index: number): string =>
  `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`;

const batch = (first: number, count: number): Promise<KeptBatch> =>
  batchOf(Array.from({ length: count }, (_, index) => eventBytes(sketch(first + index))));

/** Everything that the index answers. */
async function answers(engine: EmbeddedEngine): Promise<unknown> {
  const facets = INDEXED_FIELDS.filter((field) => field !== Field.REQUEST_URI).map(async (field) =>
    engine.facets(FacetsRequest.fromPartial({ field, limit: 100 }), never),
  );
  const { eventCount, oldestEvent, newestEvent, newestReceivedAt } = await engine.stats();
  return [
    await Promise.all(facets),
    await allTexts(engine),
    eventCount,
    oldestEvent,
    newestEvent,
    newestReceivedAt,
  ];
}

async function onlyIndexFile(): Promise<string> {
  const names = await readdir(join(directory, 'index'));
  expect(names).toHaveLength(1);
  return join(directory, 'index', names[0] ?? '');
}

test('the index of the last segment is read as it was saved, and written on', async () => {
  let engine = await open();
  const first = await batch(0, 30);
  await engine.append(first, 0n);
  await engine.close();
  engine = await open();
  await engine.append(await batch(30, 30), 0n);
  const expected = await answers(engine);
  // What is stored is known by key and by id: those without an id by their batch.
  expect(await engine.append(first, 0n)).toMatchObject({ archivedCount: 0 });
  await engine.close();
  engine = await open();
  expect(await answers(engine)).toEqual(expected);
  await engine.close();

  // Sealed, it is what it would be without having been saved.
  engine = await open(60);
  await engine.append(await batch(60, 1), 0n);
  await engine.append(await batch(61, 1), 0n);
  const sealed = await answers(engine);
  await engine.close();
  await rm(join(directory, 'index'), { recursive: true });
  engine = await open();
  expect(await answers(engine)).toEqual(sealed);
  await engine.close();
});

test('it is the saved index that answers, not one made anew', async () => {
  let engine = await open();
  await engine.append(await batch(0, 3), 0n);
  await engine.close();
  const folder = { files: nodeFiles, directory: join(directory, 'index') };
  const saved = await readSavedIndex(folder, 0);
  expect(saved).toBeDefined();
  if (saved === undefined) return;
  // One that says something else of the same bytes of the log.
  const other = new SegmentIndex(0);
  other.add(saved.index.records().positions[0] ?? 0, await batch(100, 3));
  await saveIndex(folder, other, saved);
  engine = await open();
  const { facets } = await engine.facets(
    FacetsRequest.fromPartial({ field: Field.NAME, limit: 9 }),
    never,
  );
  expect(facets.map(({ value }) => value)).toEqual(['name-100', 'name-101', 'name-102']);
  await engine.close();
});

test('what was stored after the index was saved is found after a crash', async () => {
  let engine = await open();
  await engine.append(await batch(0, 20), 0n);
  await engine.close();
  const path = await onlyIndexFile();
  const early = await readFile(path);
  engine = await open();
  await engine.append(await batch(20, 20), 0n);
  const expected = await answers(engine);
  await engine.close();
  await writeFile(path, early);
  engine = await open();
  expect(await answers(engine)).toEqual(expected);
  expect(warnings).toEqual([]);
  await engine.close();
});

test('an index that was made from other bytes of the log is made anew', async () => {
  let engine = await open();
  await engine.append(await batch(0, 20), 0n);
  await engine.close();
  const wrong = await readFile(await onlyIndexFile());
  await rm(directory, { recursive: true });
  engine = await open();
  await engine.append(await batch(500, 20), 0n);
  const expected = await answers(engine);
  await engine.close();
  await writeFile(await onlyIndexFile(), wrong);
  engine = await open();
  expect(await answers(engine)).toEqual(expected);
  await engine.close();
});

test.each(['the index of the last segment', 'a sidecar'])(
  '%s with any byte flipped gives no wrong answer',
  async (which) => {
    const rows = which === 'a sidecar' ? 10 : 1000;
    let engine = await open(rows);
    await engine.append(await batch(0, 10), 0n);
    if (which === 'a sidecar') await engine.append(await batch(10, 1), 0n);
    const expected = await answers(engine);
    await engine.close();
    const names = (await readdir(join(directory, 'index'))).sort();
    const path = join(directory, 'index', names[0] ?? '');
    const whole = await readFile(path);
    let noticed = 0;
    for (let at = 0; at < whole.length; at += 41) {
      const flipped = Buffer.from(whole);
      flipped.writeUInt8(flipped.readUInt8(at) ^ (1 << (at % 8)), at);
      await writeFile(path, flipped);
      warnings = [];
      engine = await open(rows);
      expect(await answers(engine)).toEqual(expected);
      noticed += warnings.length > 0 ? 1 : 0;
      await engine.close();
      // It was made anew, or is as it was.
      expect((await readFile(path)).equals(flipped) && warnings.length > 0).toBe(false);
    }
    // All but those in sections that no question reads.
    expect(noticed).toBeGreaterThan(whole.length / 41 / 2);
  },
);
