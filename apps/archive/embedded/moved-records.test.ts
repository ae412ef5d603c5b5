import { faultyDisk } from '@auditing/journal/faulty-files';
import type { Journal } from '@auditing/journal/journal';
import { openJournal } from '@auditing/journal/open-journal';
import { KeptBatch } from '@auditing/proto/archive';

import { batchOf, DAY_ONE_US, eventBytes } from '../testing/batches';
import { fittingEvents } from './event-search';
import { joinSegment } from './join-segment';
import { encodeRecord } from './log-record';
import { RecordReader } from './record-reader';
import { SegmentIndex } from './segment-index';

const bytesOf = (at: number): readonly Buffer[] =>
  [0, 1].map((event) => eventBytes({ auditId: `id-${at}-${event}`, name: `name-${at}`, atUs: at }));

/** A log of an ended segment of ten batches of two events, and one record behind it. */
async function filled(): Promise<{
  readonly journal: Journal;
  readonly index: SegmentIndex;
  readonly positions: readonly number[];
}> {
  const journal = await openJournal({ directory: '/log', files: faultyDisk(1).files });
  const index = new SegmentIndex(0);
  const all: number[] = [];
  for (let at = 0; at <= 10; at += 1) {
    const kept = await batchOf(bytesOf(at), { receivedAtUs: DAY_ONE_US + at, rules: [`r.${at}`] });
    if (at === 10) await journal.roll();
    const { data } = await encodeRecord(kept, bytesOf(at));
    const { positions } = await journal.append([data]);
    all.push(...positions);
    if (at < 10) index.add(positions[0] ?? 0, kept);
  }
  return { journal, index, positions: all };
}

const { signal } = new AbortController();

test('records are read by the positions that they had before they were joined', async () => {
  const { journal, index, positions } = await filled();
  const damage: unknown[] = [];
  const readerBefore = new RecordReader(journal, (error) => damage.push(error));
  const expected = await Promise.all(positions.map((at) => readerBefore.read(at)));
  // One that has nothing in its cache.
  const reader = new RecordReader(journal, (error) => damage.push(error));
  const place = { start: 0, end: journal.segments()[0]?.end ?? 0, isRewritten: false };
  const onJoined = jest.fn();
  const onFailure = jest.fn();
  expect(await joinSegment({ journal, signal, onJoined, onFailure }, place, index)).toBe(true);
  expect(onJoined).toHaveBeenCalledTimes(1);
  expect(index.records().positions).toHaveLength(1);

  for (const [at, position] of positions.entries()) {
    const record = await reader.read(position);
    for (const event of [0, 1])
      expect(record?.cut(event).typed(true)).toEqual(expected[at]?.cut(event).typed(true));
    expect(await reader.readEvents(position)).toEqual(bytesOf(at));
    const [data = Buffer.alloc(0)] = await reader.readData([position], 100);
    const search = { text: Buffer.from(`"name-${at}"`), conditions: [], wholeRecords: true };
    expect(await fittingEvents(search, { data, events: [0, 1] })).toEqual([0, 1]);
    expect(KeptBatch.decode(data).batch?.eventCount).toBe(2);
  }
  // Together, by where they are now.
  const joined = await reader.read(index.records().positions[0] ?? 0);
  expect(joined?.events).toEqual(positions.slice(0, 10).flatMap((_, at) => bytesOf(at)));
  expect(damage).toEqual([]);
  expect(await reader.readWhole((positions[3] ?? 0) + 1)).toBeUndefined();
  expect(damage).toHaveLength(1);
  await journal.trim(place.end);
  expect(await reader.readEvents(positions[3] ?? 0)).toBeUndefined();
  expect(damage).toHaveLength(1);
  await journal.close();
});

test('a segment of which a record is damaged, or whose index knows other rows, is not joined', async () => {
  const { journal, index } = await filled();
  const place = { start: 0, end: journal.segments()[0]?.end ?? 0, isRewritten: false };
  const other = new SegmentIndex(0);
  for (let at = 0; at < 3; at += 1) other.add(at, await batchOf(bytesOf(at)));
  const onJoined = jest.fn();
  const onFailure = jest.fn();
  expect(await joinSegment({ journal, signal, onJoined, onFailure }, place, other)).toBe(false);
  expect(onFailure).toHaveBeenCalledTimes(1);
  const damaged: Pick<Journal, 'read' | 'rewrite'> = {
    rewrite: (start, records) => journal.rewrite(start, records),
    async *read(from) {
      for await (const record of journal.read(from)) {
        const data = Buffer.from(record.data);
        data.fill(0xff, data.length >> 1);
        yield { ...record, data };
      }
    },
  };
  expect(await joinSegment({ journal: damaged, signal, onJoined, onFailure }, place, index)).toBe(
    false,
  );
  expect(onFailure).toHaveBeenCalledTimes(2);
  expect(onJoined).not.toHaveBeenCalled();
  expect(journal.segments()[0]?.isRewritten).toBe(false);
  await journal.close();
});

test('large batches are left as they are', async () => {
  const journal = await openJournal({ directory: '/log', files: faultyDisk(1).files });
  const index = new SegmentIndex(0);
  const events = Array.from({ length: 100 }, (_, at) => eventBytes({ auditId: `id-${at}` }));
  for (let at = 0; at < 2; at += 1) {
    const kept = await batchOf(events);
    const { positions } = await journal.append([(await encodeRecord(kept, events)).data]);
    index.add(positions[0] ?? 0, kept);
  }
  const place = { start: 0, end: journal.end, isRewritten: false };
  await journal.roll();
  const never = jest.fn();
  const joining = { journal, signal, onJoined: never, onFailure: never };
  expect(await joinSegment(joining, place, index)).toBe(false);
  expect(never).not.toHaveBeenCalled();
  await journal.close();
});
