import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm, truncate, writeFile, appendFile, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeFrames, FRAME_HEADER_BYTES } from './frame';
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

test('what was cut off does not come back behind later records', async () => {
  const journal = await open();
  await journal.append(text('kept'));
  await journal.append(text('torn', 'whole'));
  const [segment] = journal.segments();
  await journal.close();
  const bytes = await readFile(segment?.path ?? '');
  bytes.write('T', bytes.indexOf('torn'));
  await writeFile(segment?.path ?? '', bytes);
  const again = await open();
  await again.append(text('new!')); // as long as the torn one
  await again.close();
  expect(await all((await open()).read(0))).toEqual(['kept', 'new!']);
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

test('a payload that is made to look like records is not taken for records', async () => {
  const journal = await open();
  const { end } = await journal.append(text('before'));
  const [segment] = journal.segments();
  const saltOfAnother = Buffer.from('guessed!');
  const chunks = encodeFrames(text('forged'), saltOfAnother, end + FRAME_HEADER_BYTES).chunks;
  const copy = await readFile(segment?.path ?? '');
  await journal.append([Buffer.concat([...chunks, copy])]);
  const [last] = (await journal.append(text('last'))).positions;
  await journal.close();
  const bytes = await readFile(segment?.path ?? '');
  bytes.writeUInt32LE(1, end + 4); // length of the record that holds them
  await writeFile(segment?.path ?? '', bytes);
  await expect((await open()).readAt(end)).rejects.toMatchObject({ next: last });
});

test('a position that is no record, or lies after the end, is refused', async () => {
  const journal = await open();
  const { positions, end } = await journal.append(text('one', 'two'));
  await expect(journal.readAt((positions[0] ?? 0) + 1)).rejects.toMatchObject({
    name: 'JournalCorruptError',
    next: positions[1],
  });
  await expect(journal.readAt(end)).rejects.toThrow(JournalCorruptError);
  await expect(all(journal.read(end + 1))).rejects.toThrow('lies after the end');
});

test('a sealed segment with a damaged header loses its own records alone', async () => {
  const journal = await open();
  await journal.append(text('lost'));
  await journal.roll();
  const { positions } = await journal.append(text('kept'));
  const [damaged, next] = journal.segments();
  await journal.close();
  await writeFile(damaged?.path ?? '', 'KAJOURNL but nothing that makes sense');
  await expect(open()).rejects.toThrow('format version');
  await writeFile(damaged?.path ?? '', 'what lies here makes no sense at all to anybody');
  const again = await open();
  await expect(all(again.read(0))).rejects.toMatchObject({ next: next?.start });
  await expect(again.readAt(10)).rejects.toMatchObject({ next: next?.start });
  expect(await all(again.read(positions[0] ?? 0))).toEqual(['kept']);
});

test('a newest segment with a damaged header stays, and appends go on after it', async () => {
  const journal = await open();
  await journal.append(text('unreadable'));
  const [damaged] = journal.segments();
  const size = journal.bytes;
  await journal.close();
  await writeFile(damaged?.path ?? '', Buffer.alloc(size, 'garbage'));
  const again = await open();
  expect(again.end).toBe(size);
  const { positions } = await again.append(text('new'));
  await again.close();
  expect(await all((await open()).read(positions[0] ?? 0))).toEqual(['new']);
});

test('an empty newest file and what was left of a segment being begun are removed', async () => {
  const journal = await open();
  const { end } = await journal.append(text('kept'));
  await journal.close();
  await writeFile(join(directory, '0000000000009999.journal'), '');
  await writeFile(join(directory, '0000000000009998.journal.new'), 'KAJ');
  const repairs: unknown[] = [];
  const again = await open({ onRepair: (repair) => repairs.push(repair) });
  expect(repairs).toMatchObject([{ position: 9999, cutBytes: 0 }]);
  expect(again.end).toBe(end);
  expect((await readdir(directory)).length).toBe(1);
});

test('trimming removes whole segments, keeps positions, and never the last one', async () => {
  const journal = await open({ segmentBytes: 60 });
  const ends: number[] = [];
  for (const word of ['a', 'b', 'c']) ends.push((await journal.append(text(word))).end);
  for (const _ of 'abc') await journal.roll();
  const [first, second] = journal.segments();
  await journal.trim((first?.end ?? 0) - 1);
  expect(journal.segments()[0]?.path).toBe(first?.path);
  await journal.trim(first?.end ?? 0);
  expect(journal.segments()[0]?.path).toBe(second?.path);
  expect(await all(journal.read(0))).not.toContain('a');
  await journal.trim(Infinity);
  expect(journal.segments().length).toBe(1);
  expect((await readdir(directory)).length).toBe(1);
  await journal.close();
  const again = await open();
  expect(again.end).toBe(ends.at(-1));
  expect((await again.append(text('d'))).end).toBeGreaterThan(again.start);
});

test('a reader that stands in a segment while it is trimmed reads on', async () => {
  const journal = await open({ segmentBytes: 60 });
  for (const word of 'abcdef') await journal.append(text(word, word));
  const seen: string[] = [];
  for await (const { data } of journal.read(0)) {
    seen.push(data.toString());
    if (seen.length === 1) await journal.trim(journal.end);
  }
  // The segment it stood in to its end, then what is left.
  expect(seen).toEqual(['a', 'a', 'f', 'f']);
});

test('a follower gets what is appended later, across segments, and ends when told', async () => {
  const journal = await open({ segmentBytes: 60 });
  const stop = new AbortController();
  const seen: string[] = [];
  const following = (async () => {
    for await (const { data } of journal.follow(journal.start, stop.signal)) {
      seen.push(data.toString());
      if (seen.length === 20) stop.abort();
    }
  })();
  for (let index = 0; index < 20; index++) {
    await journal.append(text(String(index)));
    if (index % 7 === 0) await journal.trim(journal.segments()[0]?.start ?? 0);
  }
  await following;
  expect(seen.map(Number)).toEqual(Array.from({ length: 20 }, (_, index) => index));
});

test('closing ends a follower that waits, refuses later calls, and may be repeated', async () => {
  const journal = await open();
  await journal.append(text('one'));
  const following = all(journal.follow(0, new AbortController().signal));
  const pending = journal.append(text('two'));
  await journal.close();
  await journal.close();
  await pending;
  await following;
  await expect(journal.append(text('three'))).rejects.toThrow(JournalFailedError);
  await expect(all(journal.read(0))).rejects.toThrow('is closed');
});

test('an aborted read rejects: what was read must not look complete', async () => {
  const journal = await open();
  await journal.append(text('one'));
  await expect(all(journal.read(0, AbortSignal.abort()))).rejects.toThrow('abort');
  expect(await all(journal.follow(0, AbortSignal.abort()))).toEqual([]);
});

test('appends beyond maxBytes are refused until there is room again', async () => {
  const journal = await open({ maxBytes: 8000 });
  const written: number[] = [];
  for (;;) {
    const result = await journal.append([Buffer.alloc(300)]).catch((error: unknown) => error);
    if (result instanceof Error) {
      expect(result).toBeInstanceOf(JournalFullError);
      break;
    }
    written.push(journal.end);
  }
  expect(journal.bytes).toBeLessThanOrEqual(8000);
  expect(journal.bytes).toBeGreaterThan(7000);
  await journal.trim(journal.end);
  await journal.append([Buffer.alloc(300)]);
  await expect(journal.append([Buffer.alloc(9000)])).rejects.toThrow('9020 bytes do not fit');
});

test('the head of a segment is kept with it and gets the segment before', async () => {
  const heads = (previous: { end: number } | undefined): Buffer =>
    Buffer.from(`after ${previous?.end ?? 'nothing'}`);
  const journal = await open({ segmentHead: heads });
  const { end } = await journal.append(text('one'));
  await journal.roll();
  await journal.roll();
  expect(journal.segments().map(({ sealed }) => sealed)).toEqual([true]);
  await journal.append(text('two'));
  await journal.close();
  const again = await open({ segmentHead: heads });
  expect(again.segments().map(({ head }) => head.toString())).toEqual([
    'after nothing',
    `after ${end}`,
  ]);
  expect(again.segments().map(({ sealed }) => sealed)).toEqual([true, false]);
});
