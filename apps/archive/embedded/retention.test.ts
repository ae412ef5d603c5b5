import { faultyDisk, type FaultyDisk } from '@auditing/journal/faulty-files';
import { placeInJournal } from '@auditing/journal/journal';
import { openJournal } from '@auditing/journal/open-journal';
import fc from 'fast-check';

import { batchOf, DAY_ONE_US, eventBytes } from '../testing/batches';
import { allTexts, openEngine } from '../testing/engines';
import type { EmbeddedEngine } from './embedded-engine';
import { wholeRecord } from './log-record';
import type { RetentionLimits, RetentionRecord } from './retention';
import { readHead, SegmentHash } from './segment-chain';
import { contentHashes } from './split-batches';

const DIRECTORY = '/data/archive';
const HOUR_US = 3600e6;
const FOREVER: RetentionLimits = { ageMs: 2 ** 40, bytes: 2 ** 40 };

let disk: FaultyDisk;
let nowUs: number;

beforeEach(() => {
  disk = faultyDisk(3);
  nowUs = DAY_ONE_US;
});

function open(retention: RetentionLimits): Promise<EmbeddedEngine> {
  const segment = { bytes: 2 ** 30, rows: 10, indexBytes: 2 ** 30, ageMs: 2 ** 40 };
  return openEngine({
    directory: DIRECTORY,
    files: disk.files,
    segment,
    retention,
    now: () => nowUs / 1000,
  });
}

/** An event an hour, five to a batch, two batches to a segment. */
async function fill(engine: EmbeddedEngine, count = 60): Promise<string[]> {
  const texts: string[] = [];
  for (let at = 0; at < count; at += 5) {
    const events = [0, 1, 2, 3, 4].map((event) =>
      eventBytes({ auditId: `${at + event}`, atUs: (at + event) * HOUR_US }),
    );
    nowUs = DAY_ONE_US + (at + 4) * HOUR_US;
    await engine.append(await batchOf(events, { receivedAtUs: nowUs }), 0n);
    texts.push(...events.map(String));
  }
  return texts;
}

/** Checks every link of the chain, from the record of retention to the last segment. */
async function verifiedSegments(): Promise<number> {
  const journal = await openJournal({ directory: `${DIRECTORY}/log`, files: disk.files });
  const segments = journal.segments();
  let before = await removedHash();
  for (const segment of segments) {
    expect(readHead(segment.head).previousHash).toBe(before);
    const hash = new SegmentHash(segment.head);
    for await (const { position, data } of journal.read(segment.start)) {
      if (placeInJournal(position) >= segment.end) break;
      for (const one of contentHashes(await wholeRecord(data, true))) hash.add(one);
    }
    before = hash.hex();
  }
  await journal.close();
  return segments.length;
}

async function removedHash(): Promise<string> {
  if (!disk.paths().includes(`${DIRECTORY}/retention.json`)) return '';
  const file = await disk.files.open(`${DIRECTORY}/retention.json`, 'read');
  const text = (await file.read(0, 10_000)).toString();
  await file.close();
  return (JSON.parse(text) as RetentionRecord).removedHash;
}

test('segments form a chain that can be verified', async () => {
  const engine = await open(FOREVER);
  await fill(engine);
  await engine.close();
  expect(await verifiedSegments()).toBe(6);
});

test('the chain goes on after the archive was opened anew', async () => {
  for (let round = 0; round < 3; round += 1) {
    const engine = await open(FOREVER);
    const events = [0, 1, 2, 3].map((event) =>
      eventBytes({ auditId: `${round}-${event}`, atUs: 1 }),
    );
    for (const event of events)
      await engine.append(await batchOf([event, event, event, event, event]), 0n);
    for (let extra = 0; extra < 12; extra += 1) {
      await engine.append(
        await batchOf([eventBytes({ auditId: `${round}-x-${extra}`, atUs: 1 })]),
        0n,
      );
    }
    await engine.close();
  }
  expect(await verifiedSegments()).toBeGreaterThan(3);
});

test('events grow too old by the time they were received, a segment at a time', async () => {
  const engine = await open({ ...FOREVER, ageMs: 25 * 3600e3 });
  const texts = await fill(engine);
  await engine.maintain();
  expect(await allTexts(engine)).toEqual(texts.slice(30));
  expect(engine.gauges()).toMatchObject({ segmentCount: 3, removedSegmentCount: 3 });
  await engine.close();
  expect(await verifiedSegments()).toBe(3);
  const reopened = await open(FOREVER);
  expect(await allTexts(reopened)).toEqual(texts.slice(30));
  await reopened.close();
});

test('beyond the bytes that are allowed the oldest go, but never what is being written', async () => {
  const engine = await open({ ...FOREVER, bytes: 1 });
  const texts = await fill(engine);
  await engine.maintain();
  expect(await allTexts(engine)).toEqual(texts.slice(50));
  await engine.append(await batchOf([eventBytes({ auditId: 'more', atUs: 1 })]), 0n);
  await engine.close();
  expect(disk.paths().filter((path) => path.endsWith('.idx')).length).toBeLessThanOrEqual(2);
  expect(await verifiedSegments()).toBe(2);
});

test('an archive with nothing new gives up its old events too', async () => {
  const engine = await open({ ...FOREVER, ageMs: 3600e3 });
  await fill(engine, 5);
  nowUs += 3 * 2 ** 40 * 1000;
  await engine.maintain();
  await engine.append(
    await batchOf([eventBytes({ auditId: 'new', atUs: 1 })], { receivedAtUs: nowUs }),
    0n,
  );
  await engine.maintain();
  expect(await allTexts(engine)).toHaveLength(1);
  await engine.close();
});

test('a power cut at any moment of retention leaves a chain that can be verified', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer(), fc.integer({ min: 1, max: 15 }), async (seed, moment) => {
      disk = faultyDisk(seed);
      const engine = await open({ ...FOREVER, ageMs: 25 * 3600e3 });
      const texts = await fill(engine);
      disk.cutPowerAt(moment);
      await engine.maintain().catch(() => undefined);
      await engine.close().catch(() => undefined);
      disk.crash();
      const survived = await open({ ...FOREVER, ageMs: 25 * 3600e3 });
      const left = await allTexts(survived);
      expect(texts.slice(texts.length - left.length)).toEqual(left);
      expect(left.length).toBeGreaterThanOrEqual(30);
      await survived.maintain();
      expect(await allTexts(survived)).toEqual(texts.slice(30));
      await survived.close();
      expect(await verifiedSegments()).toBe(3);
    }),
    { numRuns: 30 },
  );
}, 300_000);
