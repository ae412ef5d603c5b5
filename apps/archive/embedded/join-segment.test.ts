import { eventKey } from '@auditing/audit-event/event-key';
import { faultyDisk, type FaultyDisk } from '@auditing/journal/faulty-files';
import {
  Order,
  Proof,
  TailRequest,
  VerifyRequest,
  type KeptBatch,
  type VerifyResult,
} from '@auditing/proto/archive';
import type { AuditEvent } from '@auditing/proto/event';
import fc from 'fast-check';
import { pino } from 'pino';

import { batchOf, eventBytes } from '../testing/batches';
import { allTexts, found, never, openEngine } from '../testing/engines';
import type { EmbeddedEngine } from './embedded-engine';

const DIRECTORY = '/data/archive';
/** Events to a segment, each a batch. */
const ROWS = 40;

let disk: FaultyDisk;
let published: string[];
let errors: string[];

beforeEach(() => {
  disk = faultyDisk(4);
  published = [];
  errors = [];
});

function open(rows = ROWS): Promise<EmbeddedEngine> {
  const log = pino(
    { level: 'info' },
    {
      write(line: string) {
        const { checkpoint, level } = JSON.parse(line) as { checkpoint?: string; level: number };
        if (checkpoint !== undefined) published.push(checkpoint);
        if (level >= 50) errors.push(line);
      },
    },
  );
  const segment = { bytes: 2 ** 30, rows, indexBytes: 2 ** 30, ageMs: 2 ** 40 };
  return openEngine({ directory: DIRECTORY, files: disk.files, segment, log });
}

/** Every third has no audit id: only the id of its batch keeps it from being stored twice. */
const bytesOf = (at: number): Buffer =>
  eventBytes({ auditId: at % 3 === 0 ? '' : `id-${at}`, name: `name-${at}`, atUs: at * 1000 });

const texts = (count: number): string[] =>
  Array.from({ length: count }, (_, at) => String(bytesOf(at)));

const single = (at: number): Promise<KeptBatch> =>
  batchOf([bytesOf(at)], { id: { sequence: BigInt(1 + at), part: at % 2 } });

async function send(engine: EmbeddedEngine, from: number, to: number): Promise<void> {
  for (let at = from; at < to; at += 1) await engine.append(await single(at), 0n);
}

function logFiles(): string[] {
  return disk.paths().filter((path) => path.includes('/log/'));
}

const joinedFiles = (): string[] => logFiles().filter((path) => /\d-\d+\.journal$/.test(path));

async function verify(engine: EmbeddedEngine, checkpoints: string[]): Promise<VerifyResult> {
  let last: VerifyResult | undefined;
  const request = VerifyRequest.fromPartial({ checkpoints });
  for await (const { result } of engine.verify(request, never)) last = result;
  return last!;
}

test('single events take not much more of the log than large batches, once their segment is sealed', async () => {
  const bytesAnEvent = async (batchSize: number): Promise<number> => {
    disk = faultyDisk(4);
    const count = 400;
    const engine = await open(count);
    for (let at = 0; at < count; at += batchSize) {
      const events = Array.from({ length: batchSize }, (_, event) => bytesOf(at + event));
      await engine.append(await batchOf(events), 0n);
    }
    const ended = engine.gauges().logBytes;
    await engine.append(await batchOf([bytesOf(count)]), 0n);
    const current = engine.gauges().logBytes - ended;
    await engine.maintain();
    const bytes = engine.gauges().logBytes - current;
    expect(await allTexts(engine)).toHaveLength(count + 1);
    await engine.close();
    return bytes / count;
  };
  const large = await bytesAnEvent(400);
  expect(await bytesAnEvent(1)).toBeLessThan(1.2 * large);
  expect(await bytesAnEvent(10)).toBeLessThan(1.2 * large);
});

test('what was joined is found, known when it is sent again, and the same when all is opened anew', async () => {
  let engine = await open();
  await send(engine, 0, 130);
  await engine.maintain();
  expect(engine.gauges()).toMatchObject({ joinedSegmentCount: 3, failedJoinCount: 0 });
  expect(joinedFiles()).toHaveLength(3);
  expect(logFiles()).toHaveLength(4);
  for (let round = 0; round < 3; round += 1) {
    expect(await allTexts(engine)).toEqual(texts(130));
    expect((await engine.get(eventKey(bytesOf(7))))?.raw).toEqual(bytesOf(7));
    const { total } = await found(engine, { query: { text: '"name-11' }, countTotal: true });
    expect(total).toBe(11n);
    for (let at = 0; at < 130; at += 1) {
      expect(await engine.append(await single(at), 0n)).toMatchObject({ archivedCount: 0 });
    }
    await engine.close();
    // The second time without sidecars: they are made from joined records.
    for (const path of disk.paths())
      if (path.endsWith('.idx') && round === 1) await disk.files.unlink(path);
    engine = await open();
  }
  expect(joinedFiles()).toHaveLength(3);
  expect(errors).toEqual([]);
  await engine.close();
});

test('checkpoints that were published before small batches were joined are part of the chain', async () => {
  const engine = await open();
  const heads: string[] = [];
  for (let at = 0; at < 100; at += 1) {
    await send(engine, at, at + 1);
    heads.push((await engine.stats()).headCheckpoint);
  }
  await engine.maintain();
  const result = await verify(engine, [...heads, ...published]);
  expect(result).toMatchObject({
    proof: Proof.CHECKPOINT,
    problems: [],
    eventCount: 100n,
    recordCount: 100n,
    matchedCheckpointCount: heads.length + published.length,
  });
  await engine.close();
});

test('any byte of joined records that flips is found', async () => {
  const engine = await open();
  await send(engine, 0, 2 * ROWS + 1);
  await engine.maintain();
  const { headCheckpoint } = await engine.stats();
  for (const path of joinedFiles()) {
    const file = await disk.files.open(path, 'read');
    for (let offset = 0; offset < (await file.size()); offset += 53) {
      disk.flip(path, offset);
      const { proof, problems } = await verify(engine, [headCheckpoint]);
      expect(proof).toBe(Proof.UNSPECIFIED);
      expect(problems.length).toBeGreaterThan(0);
      disk.flip(path, offset);
    }
  }
  expect((await verify(engine, [headCheckpoint])).proof).toBe(Proof.CHECKPOINT);
  await engine.close();
});

test('cursors and resume tokens hold when the records that they speak of are joined', async () => {
  const engine = await open();
  const half = ROWS / 2;
  await send(engine, 0, half);
  const search = { order: Order.OLDEST_FIRST, limit: 7, includeRaw: true };
  const page = await found(engine, search);
  const { resumeToken } = await engine.stats();
  const told = await tailed(engine, '0-0', half);
  await send(engine, half, ROWS + 5);
  await engine.maintain();
  expect(joinedFiles()).toHaveLength(1);
  const rest = await found(engine, { ...search, limit: 1000, cursor: page.nextCursor });
  expect(rest.events.map(({ raw }) => raw.toString())).toEqual(texts(ROWS + 5).slice(7));
  expect((await tailed(engine, resumeToken, ROWS + 5 - half)).map(({ text }) => text)).toEqual(
    texts(ROWS + 5).slice(half),
  );
  for (const [at, { token }] of told.entries()) {
    expect((await tailed(engine, token, 1))[0]?.text).toBe(texts(ROWS + 5)[at + 1]);
  }
  await engine.close();
});

async function tailed(engine: EmbeddedEngine, resumeToken: string, count: number) {
  const given: { text: string; token: string }[] = [];
  const request = TailRequest.fromPartial({ resumeToken, includeRaw: true });
  const stop = new AbortController();
  for await (const { raw, resumeToken: token } of engine.tail(request, stop.signal)) {
    given.push({ text: raw.toString(), token });
    if (given.length === count) break;
  }
  stop.abort();
  return given;
}

test('a slow listener reads on when records are joined under its hands', async () => {
  const engine = await open();
  await send(engine, 0, ROWS);
  const request = TailRequest.fromPartial({ resumeToken: '0-0', includeRaw: true });
  const stop = new AbortController();
  const listening = engine.tail(request, stop.signal)[Symbol.asyncIterator]();
  const hear = async (): Promise<string> => {
    const { value } = (await listening.next()) as { value: AuditEvent };
    return value.raw.toString();
  };
  const heard = [await hear()];
  await send(engine, ROWS, ROWS + 1);
  await engine.maintain();
  expect(joinedFiles()).toHaveLength(1);
  while (heard.length <= ROWS) heard.push(await hear());
  expect(heard).toEqual(texts(ROWS + 1));
  expect(engine.gauges().damagedRecordCount).toBe(0);
  stop.abort();
  await listening.return?.();
  await engine.close();
});

test('a disk that is full or fails while batches are joined costs the joining alone', async () => {
  let engine = await open();
  await send(engine, 0, ROWS);
  disk.files.open = failingAt(disk, '.journal.new', '-');
  await send(engine, ROWS, ROWS + 5);
  await engine.maintain();
  expect(engine.gauges()).toMatchObject({ joinedSegmentCount: 0, failedJoinCount: 1 });
  expect(errors.join()).toContain('small batches could not be joined');
  expect(joinedFiles()).toEqual([]);
  expect(await allTexts(engine)).toEqual(texts(ROWS + 5));
  await send(engine, ROWS + 5, 2 * ROWS + 1);
  await engine.close();
  disk.crash();
  engine = await open();
  expect(await allTexts(engine)).toEqual(texts(2 * ROWS + 1));
  expect((await verify(engine, published)).proof).toBe(Proof.CHECKPOINT);
  await engine.close();
});

/** Opens files, but for those whose names have these parts. */
function failingAt(faulty: FaultyDisk, ending: string, part: string): FaultyDisk['files']['open'] {
  const openFile = faulty.files.open.bind(faulty.files);
  return (path, mode) =>
    path.endsWith(ending) && path.slice(path.lastIndexOf('/')).includes(part)
      ? Promise.reject(Object.assign(new Error('ENOSPC: the disk is full'), { code: 'ENOSPC' }))
      : openFile(path, mode);
}

test('a power cut or a kill at any moment of the joining loses and doubles nothing', async () => {
  const joined = new Set<boolean>();
  await fc.assert(
    fc.asyncProperty(
      fc.integer(),
      fc.integer({ min: 1, max: 24 }),
      fc.boolean(),
      async (seed, nth, isKill) => {
        disk = faultyDisk(seed);
        let engine = await open(6);
        await send(engine, 0, 6);
        const { headCheckpoint } = await engine.stats();
        disk.cutPowerAt(nth);
        const last = await engine.append(await single(6), 0n).catch(() => undefined);
        await engine.maintain().catch(() => undefined);
        await engine.close().catch(() => undefined);
        joined.add(joinedFiles().length > 0);
        if (isKill) disk.kill();
        else disk.crash();
        engine = await open(6);
        const found = await allTexts(engine);
        expect([texts(6), texts(7)]).toContainEqual(found);
        if (last !== undefined) expect(found).toEqual(texts(7));
        expect((await verify(engine, [headCheckpoint])).proof).toBe(Proof.CHECKPOINT);
        await send(engine, 0, 8);
        expect(await allTexts(engine)).toEqual(texts(8));
        await engine.maintain();
        await engine.close();
        // What the cut came before is joined at the next start, and nothing is left over.
        expect(joinedFiles()).toHaveLength(1);
        expect(logFiles()).toHaveLength(2);
      },
    ),
    { numRuns: 150 },
  );
  expect(joined.size).toBe(2);
}, 300_000);
