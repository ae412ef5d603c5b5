import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { batchOf, EPOCH, eventBytes } from '../testing/batches';
import { allTexts, openEngine } from '../testing/engines';
import type { EmbeddedEngine } from './embedded-engine';

let directory: string;
let engine: EmbeddedEngine;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'archive-'));
  engine = await openEngine({ directory });
});

afterEach(async () => {
  await engine.close();
  await rm(directory, { recursive: true });
});

async function reopen(): Promise<void> {
  await engine.close();
  engine = await openEngine({ directory });
}

function events(count: number, from = 0): Buffer[] {
  return Array.from({ length: count }, (_, index) =>
    eventBytes({ auditId: `id-${from + index}`, atUs: (from + index) * 1e6 }),
  );
}

/** Events that have neither an audit id nor a time, all alike. */
function anonymous(count: number): Buffer[] {
  return Array.from({ length: count }, () => eventBytes({}));
}

test('an event is stored once, however often and in whatever company it comes', async () => {
  const all = events(6);
  await engine.append(await batchOf(all.slice(0, 3)), 0n);
  const again = await engine.append(
    await batchOf([all[5]!, all[1]!, all[3]!, all[3]!, all[2]!]),
    0n,
  );
  expect(again).toMatchObject({ archivedCount: 2, duplicateCount: 3 });
  expect(await allTexts(engine)).toEqual([0, 1, 2, 3, 5].map((index) => String(all[index])));
});

test('what is left of a batch keeps its own rules and positions', async () => {
  const [known, fresh] = events(2);
  await engine.append(await batchOf([known!]), 0n);
  const batch = await batchOf([known!, fresh!], { rules: ['first', 'second'] });
  batch.verdicts!.verdicts[1]!.findings = [{ rule: 1, message: 'only this', alert: true }];
  batch.verdicts!.verdicts[1]!.workspace = 'demo';
  await engine.append(batch, 0n);
  await reopen();
  const event = await engine.get(batch.batch!.keys.subarray(32));
  expect(event).toMatchObject({
    auditId: 'id-1',
    rules: ['second'],
    message: 'only this',
    workspace: 'demo',
  });
});

test('duplicates of events in segments long sealed are found, after the archive was opened anew too', async () => {
  const all = events(100);
  for (let at = 0; at < 100; at += 10)
    await engine.append(await batchOf(all.slice(at, at + 10)), 0n);
  expect(await engine.append(await batchOf(all.slice(3, 44)), 0n)).toMatchObject({
    archivedCount: 0,
  });
  await reopen();
  expect(
    await engine.append(await batchOf([...all.slice(50, 70), ...events(1, 100)]), 0n),
  ).toMatchObject({
    archivedCount: 1,
    duplicateCount: 20,
  });
  expect(await allTexts(engine)).toEqual([...all, ...events(1, 100)].map(String));
});

test('the same events sent at once by two streams are stored once', async () => {
  const all = events(10);
  const batches = await Promise.all([batchOf(all), batchOf(all), batchOf(all.slice(4))]);
  const answers = await Promise.all(batches.map((batch) => engine.append(batch, 0n)));
  expect(answers.reduce((sum, { archivedCount }) => sum + archivedCount, 0)).toBe(10);
  expect(await allTexts(engine)).toEqual(all.map(String));
});

test('events without audit id and time are kept apart, but a batch sent again is stored once', async () => {
  const sent = await batchOf(anonymous(3));
  const answers = await Promise.all([engine.append(sent, 0n), engine.append(sent, 0n)]);
  expect(answers.map(({ archivedCount }) => archivedCount)).toEqual([3, 0]);
  await engine.append(await batchOf(anonymous(2)), 0n);
  await reopen();
  expect(await engine.append(sent, 0n)).toMatchObject({ archivedCount: 0, duplicateCount: 3 });
  expect(await allTexts(engine)).toHaveLength(5);
});

test('ranges of a part that overlap add up to the part', async () => {
  const all = anonymous(10);
  const range = async (firstEvent: number, eventCount: number) =>
    engine.append(
      await batchOf(all.slice(firstEvent, firstEvent + eventCount), {
        id: { sequence: 1_000_000n, firstEvent, eventCount },
      }),
      0n,
    );
  expect(await range(0, 5)).toMatchObject({ archivedCount: 5 });
  expect(await range(3, 4)).toMatchObject({ archivedCount: 2, duplicateCount: 2 });
  await reopen();
  expect(await range(0, 10)).toMatchObject({ archivedCount: 3, duplicateCount: 7 });
  expect(await range(0, 10)).toMatchObject({ archivedCount: 0, duplicateCount: 10 });
});

test('marks survive the segment they were made in', async () => {
  const sent = await batchOf(anonymous(2));
  await engine.append(sent, 0n);
  for (let round = 0; round < 6; round += 1)
    await engine.append(await batchOf(events(20, round * 20)), 0n);
  await reopen();
  expect(await engine.append(sent, 0n)).toMatchObject({ archivedCount: 0, duplicateCount: 2 });
});

test('a batch of a settled sequence that comes late is a duplicate', async () => {
  const late = await batchOf(anonymous(1), { id: { epoch: EPOCH, sequence: 2_000_000n } });
  await engine.append(
    await batchOf(anonymous(1), { id: { epoch: EPOCH, sequence: 2_000_009n } }),
    2_000_005n,
  );
  expect(await engine.append(late, 0n)).toMatchObject({ archivedCount: 0, duplicateCount: 1 });
});

test('a block that cannot be read is refused and hides nothing', async () => {
  const all = events(2);
  const broken = await batchOf(all);
  broken.batch!.block!.data = Buffer.from('no zstd frame');
  const answers = await Promise.allSettled([
    engine.append(broken, 0n),
    batchOf(all).then((good) => engine.append(good, 0n)),
  ]);
  expect(answers[0]).toMatchObject({ status: 'rejected', reason: { code: 3 } });
  expect(answers[1]).toMatchObject({ status: 'fulfilled', value: { archivedCount: 2 } });
});
