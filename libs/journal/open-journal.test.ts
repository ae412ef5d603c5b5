import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, truncate, writeFile, appendFile, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Journal, JournalOptions, JournalRecord } from './journal';
import { JournalCorruptError, JournalFailedError, JournalFullError } from './journal-error';
import { openJournal } from './open-journal';

let directory: string;
let opened: Journal[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'journal-'));
});

afterEach(async () => {
  await Promise.all(opened.map((journal) => journal.close()));
  opened = [];
  await rm(directory, { recursive: true });
});

async function open(options: Partial<JournalOptions> = {}): Promise<Journal> {
  const journal = await openJournal({ directory, ...options });
  opened.push(journal);
  return journal;
}

const text = (...texts: string[]): Buffer[] => texts.map((each) => Buffer.from(each));

async function all(records: AsyncIterable<JournalRecord>): Promise<string[]> {
  const texts: string[] = [];
  for await (const { data } of records) texts.push(data.toString());
  return texts;
}

test('records come back in order, byte for byte, also after closing and opening', async () => {
  const journal = await open();
  const big = randomBytes(3 * 1024 * 1024);
  const at = await journal.append([Buffer.from('one'), Buffer.alloc(0), big]);
  await journal.append(text('last'));
  await journal.close();
  const again = await open();
  const read: JournalRecord[] = [];
  for await (const record of again.read(0)) read.push(record);
  expect(read.map(({ position }) => position).slice(0, 3)).toEqual(at.positions);
  expect(read.map(({ data }) => data.length)).toEqual([3, 0, big.length, 4]);
  expect(read[2]?.data.equals(big)).toBe(true);
  expect(read[2]?.next).toBe(at.end);
  expect(again.end).toBe(read[3]?.next);
  expect(again.start).toBe(read[0]?.position);
});

test('reading begins at the record asked for', async () => {
  const journal = await open({ segmentBytes: 100 });
  const positions: number[] = [];
  for (const word of ['a', 'b', 'c', 'd', 'e', 'f'])
    positions.push(...(await journal.append(text(word.repeat(30)))).positions);
  expect(journal.segments().length).toBeGreaterThan(1);
  for (const [index, position] of positions.entries()) {
    expect((await all(journal.read(position))).length).toBe(6 - index);
    expect((await journal.readAt(position)).data.toString()).toBe(
      'abcdef'.charAt(index).repeat(30),
    );
  }
  expect(await all(journal.read(journal.end))).toEqual([]);
});

test('appends of the same turn share an fsync', async () => {
  const journal = await open();
  const ends = await Promise.all(
    Array.from({ length: 100 }, (_, index) => journal.append(text(String(index)))),
  );
  expect(ends.map(({ end }) => end)).toEqual([...ends.map(({ end }) => end)].sort((a, b) => a - b));
  expect((await all(journal.read(0))).map(Number)).toEqual(
    Array.from({ length: 100 }, (_, i) => i),
  );
});

test('a torn tail is cut off, reported, and written over', async () => {
  const journal = await open();
  const { end } = await journal.append(text('kept', 'kept too'));
  const [segment] = journal.segments();
  await journal.append(text('torn away'));
  await journal.close();
  await truncate(segment?.path ?? '', end + 12);
  const repairs: unknown[] = [];
  const again = await open({ onRepair: (repair) => repairs.push(repair) });
  expect(repairs).toEqual([{ path: segment?.path, position: end, cutBytes: 12 }]);
  expect(again.end).toBe(end);
  await again.append(text('new'));
  expect(await all(again.read(0))).toEqual(['kept', 'kept too', 'new']);
});

test('garbage after the last record is cut off', async () => {
  const journal = await open();
  await journal.append(text('kept'));
  const [segment] = journal.segments();
  await journal.close();
  await appendFile(segment?.path ?? '', randomBytes(5000));
  expect(await all((await open()).read(0))).toEqual(['kept']);
});

test('a damaged record is reported, and what follows it can be read', async () => {
  const journal = await open();
  const { positions } = await journal.append(text('first', 'second'));
  const [third] = (await journal.append(text('third'))).positions;
  await journal.append(text('fourth'));
  const [segment] = journal.segments();
  await journal.close();
  const bytes = await readFile(segment?.path ?? '');
  bytes.write('S', bytes.indexOf('second'));
  await writeFile(segment?.path ?? '', bytes);

  const again = await open();
  const read: string[] = [];
  const reading = (async () => {
    for await (const { data } of again.read(0)) read.push(data.toString());
  })();
  await expect(reading).rejects.toThrow(JournalCorruptError);
  await expect(reading).rejects.toMatchObject({ position: positions[1], next: third });
  expect(read).toEqual(['first']);
  expect(await all(again.read(third ?? 0))).toEqual(['third', 'fourth']);
  await expect(again.readAt(positions[1] ?? 0)).rejects.toMatchObject({ next: third });
});
