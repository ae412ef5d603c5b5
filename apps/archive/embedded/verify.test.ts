import { generateKeyPairSync, type KeyObject } from 'node:crypto';

import { faultyDisk, type FaultyDisk } from '@auditing/journal/faulty-files';
import { Proof, VerifyRequest, type VerifyResult } from '@auditing/proto/archive';
import fc from 'fast-check';
import { pino } from 'pino';

import { batchOf, DAY_ONE_US, eventBytes } from '../testing/batches';
import { allTexts, never, openEngine } from '../testing/engines';
import type { EmbeddedEngine } from './embedded-engine';
import type { EmbeddedOptions } from './embedded-options';

const DIRECTORY = '/data/archive';

let disk: FaultyDisk;
let published: string[];

beforeEach(() => {
  disk = faultyDisk(5);
  published = [];
});

function open(options: Partial<EmbeddedOptions> = {}): Promise<EmbeddedEngine> {
  const log = pino(
    { level: 'info' },
    {
      write(line: string) {
        const { checkpoint } = JSON.parse(line) as { checkpoint?: string };
        if (checkpoint !== undefined) published.push(checkpoint);
      },
    },
  );
  const segment = { bytes: 2 ** 30, rows: 10, indexBytes: 2 ** 30, ageMs: 2 ** 40 };
  return openEngine({ directory: DIRECTORY, files: disk.files, segment, log, ...options });
}

/** Five events to a batch, two batches to a segment. */
async function fill(engine: EmbeddedEngine, count: number, from = 0): Promise<string[]> {
  const texts: string[] = [];
  for (let at = from; at < from + count; at += 5) {
    const events = [0, 1, 2, 3, 4].map((event) =>
      eventBytes({ auditId: `${at + event}`, atUs: (at + event) * 1e6 }),
    );
    const receivedAtUs = DAY_ONE_US + at * 1e6;
    await engine.append(await batchOf(events, { receivedAtUs }), 0n);
    texts.push(...events.map(String));
  }
  return texts;
}

async function verify(
  engine: EmbeddedEngine,
  request: Parameters<typeof VerifyRequest.fromPartial>[0] = {},
): Promise<VerifyResult> {
  let last: VerifyResult | undefined;
  let checked = 0n;
  for await (const { progress, result } of engine.verify(
    VerifyRequest.fromPartial(request),
    never,
  )) {
    expect(last).toBeUndefined();
    last = result;
    if (progress !== undefined) {
      expect(progress.checkedBytes).toBeGreaterThan(checked);
      checked = progress.checkedBytes;
    }
  }
  return last!;
}

test('a sound archive is consistent, and no more is said without a checkpoint', async () => {
  const engine = await open();
  await fill(engine, 35);
  const result = await verify(engine);
  expect(result).toMatchObject({
    proof: Proof.CONSISTENT,
    problems: [],
    segmentCount: 4,
    recordCount: 7n,
    eventCount: 35n,
    firstKeptSegment: 0n,
  });
  expect(result.statement).toMatch(/does not prove/);
  expect(result.headCheckpoint).toMatch(/^kac1\./);
  await engine.close();
});

test('an archive without events is sound', async () => {
  const engine = await open();
  expect(await verify(engine)).toMatchObject({ proof: Proof.CONSISTENT, headCheckpoint: '' });
  await engine.close();
});

test('every checkpoint that was published is part of the chain, also after it was opened anew', async () => {
  let engine = await open();
  await fill(engine, 25);
  await engine.maintain();
  published.push((await engine.stats()).headCheckpoint);
  await engine.close();
  engine = await open();
  await fill(engine, 25, 100);
  expect(published.length).toBeGreaterThan(3);
  const result = await verify(engine, { checkpoints: published });
  expect(result).toMatchObject({ proof: Proof.CHECKPOINT, problems: [] });
  expect(result.matchedCheckpointCount).toBe(published.length);
  await engine.close();
});

test('another archive in its place is consistent, but does not fit the checkpoint', async () => {
  const engine = await open();
  await fill(engine, 15);
  const { headCheckpoint } = await engine.stats();
  await engine.close();
  disk = faultyDisk(6);
  const other = await open();
  await fill(other, 20, 1000);
  expect(await verify(other)).toMatchObject({ proof: Proof.CONSISTENT });
  const result = await verify(other, { checkpoints: [headCheckpoint] });
  expect(result.proof).toBe(Proof.UNSPECIFIED);
  expect(result.problems[0]?.description).toMatch(/does not fit|not there/);
  await other.close();
});

test('events that were cut off the end are missed by the checkpoint', async () => {
  const batches = [
    await batchOf([eventBytes({ atUs: 1 })]),
    await batchOf([eventBytes({ atUs: 2 })]),
  ];
  const whole = await open();
  for (const batch of batches) await whole.append(batch, 0n);
  const { headCheckpoint } = await whole.stats();
  await whole.close();
  disk = faultyDisk(7);
  const cut = await open();
  await cut.append(batches[0]!, 0n);
  const { problems } = await verify(cut, { checkpoints: [headCheckpoint] });
  expect(problems[0]?.description).toMatch(/events were removed from its end/);
  await cut.close();
});

test('after retention the chain is verified from its record, and old checkpoints are told apart', async () => {
  let nowUs = DAY_ONE_US;
  const retention = { ageMs: 30_000, bytes: 2 ** 40 };
  const engine = await open({ retention, now: () => nowUs / 1000 });
  await fill(engine, 60);
  nowUs += 60e6;
  await engine.maintain();
  const result = await verify(engine, { checkpoints: published });
  expect(result).toMatchObject({ proof: Proof.CHECKPOINT, problems: [] });
  expect(result.firstKeptSegment).toBeGreaterThan(0n);
  expect(result.removedHash).toHaveLength(32);
  expect(result.removedCheckpointCount).toBeGreaterThan(0);
  await engine.close();
});

test('signatures are checked where a public key is given', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const other = generateKeyPairSync('ed25519').publicKey;
  const engine = await open({ checkpointKey: privateKey });
  await fill(engine, 15);
  const { headCheckpoint } = await engine.stats();
  const pem = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }) as string;
  const checkpoints = [headCheckpoint, ...published];
  expect(await verify(engine, { checkpoints, publicKey: pem(publicKey) })).toMatchObject({
    proof: Proof.CHECKPOINT,
    problems: [],
  });
  const { problems } = await verify(engine, { checkpoints, publicKey: pem(other) });
  expect(problems).toHaveLength(checkpoints.length);
  await expect(verify(engine, { publicKey: 'x' })).rejects.toThrow(/public_key: expected/);
  await expect(verify(engine, { checkpoints: ['x'] })).rejects.toThrow(/checkpoints: expected/);
  await engine.close();
});

test('any byte of the log that flips is found, and all other records are read', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0 }), fc.nat(), async (seed, place) => {
      disk = faultyDisk(seed % 1000);
      const engine = await open();
      const texts = await fill(engine, 50);
      const { headCheckpoint } = await engine.stats();
      // When small batches are joined: the files are others then.
      await engine.maintain();
      const files = disk.paths().filter((path) => path.endsWith('.journal'));
      const path = files[seed % files.length]!;
      const file = await disk.files.open(path, 'read');
      disk.flip(path, place % (await file.size()));
      await file.close();
      const result = await verify(engine, { checkpoints: [headCheckpoint] });
      expect(result.proof).toBe(Proof.UNSPECIFIED);
      expect(result.problems.length).toBeGreaterThan(0);
      await engine.close();
      const reopened = await open();
      const left = await allTexts(reopened);
      // A header takes its segment with it: ten events. Else one record is lost, or nothing.
      expect(left.length).toBeGreaterThanOrEqual(texts.length - 10);
      expect(texts.filter((text) => left.includes(text))).toEqual(left);
      await reopened.close();
    }),
    { numRuns: 60 },
  );
}, 300_000);
