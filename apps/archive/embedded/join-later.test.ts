import { faultyDisk, type FaultyDisk } from '@auditing/journal/faulty-files';
import type { KeptBatch } from '@auditing/proto/archive';
import fc from 'fast-check';

import { batchOf, DAY_ONE_US, eventBytes } from '../testing/batches';
import { allTexts, openEngine } from '../testing/engines';
import type { EmbeddedEngine } from './embedded-engine';

// What becomes of segments that ended, and were not joined before the archive was closed or died.

const DIRECTORY = '/data/archive';
/** Events to a segment, each a batch. */
const ROWS = 40;

let disk: FaultyDisk;
/** Called when the file of joined records is to be opened: it is when this resolves. */
let whenJoining: () => Promise<void>;

beforeEach(() => {
  disk = faultyDisk(4);
  whenJoining = () => Promise.resolve();
});

function open(ageMs = 2 ** 40): Promise<EmbeddedEngine> {
  const { files } = disk;
  const openFile = files.open.bind(files);
  files.open = async (path, mode) => {
    if (/-\d+\.journal\.new$/.test(path)) await whenJoining();
    return openFile(path, mode);
  };
  return openEngine({
    directory: DIRECTORY,
    files,
    segment: { bytes: 2 ** 30, rows: ROWS, indexBytes: 2 ** 30, ageMs },
    now: () => DAY_ONE_US / 1000 + 1000,
  });
}

/** Joining begins when `begun` resolves, and goes on after `goOn`. */
function heldUp(): { readonly begun: Promise<void>; readonly goOn: () => void } {
  let goOn = (): void => undefined;
  const held = new Promise<void>((resolve) => (goOn = resolve));
  const begun = new Promise<void>((resolve) => {
    whenJoining = () => {
      resolve();
      return held;
    };
  });
  return { begun, goOn };
}

const bytesOf = (at: number): Buffer => eventBytes({ auditId: `id-${at}`, name: `name-${at}` });

const texts = (count: number): string[] =>
  Array.from({ length: count }, (_, at) => String(bytesOf(at)));

const single = (at: number): Promise<KeptBatch> =>
  batchOf([bytesOf(at)], { id: { sequence: BigInt(1 + at) } });

async function send(engine: EmbeddedEngine, from: number, to: number): Promise<void> {
  for (let at = from; at < to; at += 1) await engine.append(await single(at), 0n);
}

const joinedCount = (): number =>
  disk.paths().filter((path) => /\d-\d+\.journal$/.test(path)).length;

test('closing does not wait for a segment to be joined: it is at the next start', async () => {
  const { begun, goOn } = heldUp();
  let engine = await open();
  await send(engine, 0, ROWS + 1);
  await begun;
  const closed = engine.close();
  goOn();
  await closed;
  expect(joinedCount()).toBe(0);
  engine = await open();
  await engine.maintain();
  expect(joinedCount()).toBe(1);
  expect(engine.gauges()).toMatchObject({ joinedSegmentCount: 1, failedJoinCount: 0 });
  expect(await allTexts(engine)).toEqual(texts(ROWS + 1));
  await engine.close();
});

test('nor does it wait where maintenance waits for that', async () => {
  const { begun, goOn } = heldUp();
  const engine = await open();
  await send(engine, 0, ROWS + 1);
  await begun;
  const closing = new AbortController();
  const maintained = engine.maintain(closing.signal).catch(() => 'given up');
  closing.abort();
  goOn();
  expect(await maintained).toBe('given up');
  expect(joinedCount()).toBe(0);
  await engine.close();
});

test('all segments that ended before a kill are joined after it, not only the last one', async () => {
  const { begun } = heldUp();
  let engine = await open();
  await send(engine, 0, 2 * ROWS);
  await begun;
  // Begins the third segment, and is not answered before the first one is joined.
  void engine.append(await single(2 * ROWS), 0n).catch(() => undefined);
  while (disk.paths().filter((path) => path.endsWith('.journal')).length < 3)
    await new Promise((resolve) => setImmediate(resolve));
  disk.kill();
  whenJoining = () => Promise.resolve();
  engine = await open();
  await engine.maintain();
  expect(joinedCount()).toBe(2);
  expect((await allTexts(engine)).slice(0, 2 * ROWS)).toEqual(texts(2 * ROWS));
  await engine.close();
});

test('a segment that was sealed is not joined because its sidecar is damaged', async () => {
  let engine = await open();
  whenJoining = () => Promise.reject(Object.assign(new Error('no room'), { code: 'ENOSPC' }));
  await send(engine, 0, ROWS + 1);
  await engine.maintain();
  expect(engine.gauges()).toMatchObject({ joinedSegmentCount: 0, failedJoinCount: 1 });
  await engine.close();
  whenJoining = () => Promise.resolve();
  disk.flip(
    disk.paths().find((path) => path.endsWith(`${'0'.repeat(16)}.idx`))!,
    30,
  );
  engine = await open();
  await engine.maintain();
  expect(joinedCount()).toBe(0);
  expect(await allTexts(engine)).toEqual(texts(ROWS + 1));
  await engine.close();
});

test('the joining is made up for also where all of the index was saved before', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer(), fc.integer({ min: 1, max: 24 }), async (seed, nth) => {
      disk = faultyDisk(seed);
      let engine = await open();
      await send(engine, 0, 6);
      await engine.close();
      engine = await open(1);
      // It has grown old: the next batch begins another segment, and nothing comes into this one any more.
      await engine.maintain();
      disk.cutPowerAt(nth);
      const last = await engine.append(await single(6), 0n).catch(() => undefined);
      await engine.maintain().catch(() => undefined);
      await engine.close().catch(() => undefined);
      disk.crash();
      engine = await open();
      if (last !== undefined) expect(await allTexts(engine)).toEqual(texts(7));
      const isBegun = disk.paths().filter((path) => path.includes('/log/')).length === 2;
      await engine.maintain();
      await engine.close();
      if (isBegun) expect(joinedCount()).toBe(1);
    }),
    { numRuns: 60 },
  );
}, 300_000);
