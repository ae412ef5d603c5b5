import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { batchOf, DAY_ONE_US, eventBytes } from '../testing/batches';
import { allTexts, never, openEngine } from '../testing/engines';

const HOUR_MS = 3600e3;

test('whatever the clock does, events keep their times, and none is removed before its age', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'archive-'));
  let nowMs = DAY_ONE_US / 1000;
  const engine = await openEngine({
    directory,
    segment: { bytes: 2 ** 30, rows: 4, indexBytes: 2 ** 30, ageMs: HOUR_MS },
    retention: { ageMs: 30 * HOUR_MS, bytes: 2 ** 40 },
    now: () => nowMs,
  });
  const texts: string[] = [];
  let count = 0;
  const store = async (atUs: number): Promise<void> => {
    const bytes = eventBytes({ auditId: `id-${count++}`, atUs });
    texts.push(bytes.toString());
    await engine.append(await batchOf([bytes], { receivedAtUs: nowMs * 1000 }), 0n);
    await engine.maintain();
  };
  const second = 1e6;
  // As it goes; a year back; back again; events hours late, far in the future, and of one moment.
  for (let step = 0; step < 6; step += 1) await store(step * second);
  nowMs -= 365 * 24 * HOUR_MS;
  for (let step = 0; step < 6; step += 1) await store((10 + step) * second);
  nowMs += 365 * 24 * HOUR_MS + HOUR_MS;
  await store(-5 * 3600 * second);
  await store(1000 * 24 * 3600 * second);
  for (let step = 0; step < 6; step += 1) await store(20 * second);

  const stored = await allTexts(engine);
  expect([...stored].sort()).toEqual([...texts].sort());
  const times = stored.map((text) =>
    Date.parse((JSON.parse(text) as { requestReceivedTimestamp: string }).requestReceivedTimestamp),
  );
  expect(times).toEqual([...times].sort((a, b) => a - b));
  let problems: unknown;
  for await (const { result } of engine.verify({ checkpoints: [], publicKey: '' }, never))
    problems = result?.problems ?? problems;
  expect(problems).toEqual([]);

  // Once all are old by the clock, whole segments go, the one that is written to stays.
  nowMs += 31 * HOUR_MS;
  await engine.maintain();
  expect((await allTexts(engine)).length).toBeLessThan(texts.length);
  await engine.close();
  await rm(directory, { recursive: true });
});
