import { faultyDisk, type FaultyDisk } from '@auditing/journal/faulty-files';
import { Field } from '@auditing/proto/event';
import { status } from '@grpc/grpc-js';
import { eventKey } from '@auditing/audit-event/event-key';

import { batchOf, eventBytes } from '../testing/batches';
import { allTexts, found, never, openEngine } from '../testing/engines';
import type { EmbeddedEngine } from './embedded-engine';

const DIRECTORY = '/data/archive';
const EVENTS = Array.from({ length: 60 }, (_, index) =>
  eventBytes({ auditId: `id-${index}`, user: `user-${index}`, atUs: index * 1e6 }),
);

let disk: FaultyDisk;
let engine: EmbeddedEngine;

beforeEach(async () => {
  disk = faultyDisk(1);
  engine = await openEngine({ directory: DIRECTORY, files: disk.files });
  for (let at = 0; at < EVENTS.length; at += 5) {
    await engine.append(await batchOf(EVENTS.slice(at, at + 5)), 0n);
  }
  // Until the small batches of ended segments are joined.
  await engine.maintain();
});

afterEach(() => engine.close());

async function reopen(): Promise<void> {
  await engine.close();
  engine = await openEngine({ directory: DIRECTORY, files: disk.files });
}

function files(ending: string): string[] {
  return disk
    .paths()
    .filter((path) => path.endsWith(ending))
    .sort();
}

async function sizeOf(path: string): Promise<number> {
  const file = await disk.files.open(path, 'read');
  const size = await file.size();
  await file.close();
  return size;
}

test('a byte that flips anywhere in a sidecar changes no answer', async () => {
  await reopen();
  const [sidecar] = files('.idx');
  const size = await sizeOf(sidecar!);
  for (let offset = 0; offset < size; offset += 97) {
    disk.flip(sidecar!, offset);
    await reopen();
    expect(await allTexts(engine)).toEqual(EVENTS.map(String));
    const users = await engine.facets({ query: undefined, field: Field.USER, limit: 1000 }, never);
    expect(users.facets).toHaveLength(EVENTS.length);
    expect((await engine.get(eventKey(EVENTS[0]!)))?.raw).toEqual(EVENTS[0]);
  }
}, 300_000);

test('lost sidecars are made anew, and those of segments that are gone are removed', async () => {
  await engine.close();
  const sidecars = files('.idx');
  // Of two ended segments, and what was saved of the third.
  expect(sidecars).toHaveLength(3);
  await disk.files.rename(sidecars[0]!, sidecars[0]!.replace(/\d{16}/, '0000009999999999'));
  await reopen();
  expect(await allTexts(engine)).toEqual(EVENTS.map(String));
  await engine.close();
  expect(files('.idx')).toEqual(sidecars);
});

test('a damaged record is reported, and all others are found', async () => {
  const position = (await sizeOf(files('.journal')[0]!)) >> 1;
  disk.flip(files('.journal')[0]!, position);
  await reopen();
  const texts = await allTexts(engine);
  // Of one record, in which four batches were joined.
  expect(texts.length).toBeGreaterThanOrEqual(EVENTS.length - 20);
  expect(texts.length).toBeLessThan(EVENTS.length);
  expect(engine.gauges().damagedRecordCount).toBeGreaterThan(0);
  const lost = EVENTS.find((bytes) => !texts.includes(String(bytes)));
  await expect(engine.get(eventKey(lost!))).rejects.toMatchObject({ code: status.DATA_LOSS });
});

test('damage in the log does not keep a sidecar from being made anew', async () => {
  const position = (await sizeOf(files('.journal')[0]!)) >> 1;
  disk.flip(files('.journal')[0]!, position);
  await engine.close();
  for (const sidecar of files('.idx')) await disk.files.unlink(sidecar);
  await reopen();
  const { total } = await found(engine, { countTotal: true });
  expect(Number(total)).toBeGreaterThanOrEqual(EVENTS.length - 20);
  expect(Number(total)).toBeLessThan(EVENTS.length);
});
