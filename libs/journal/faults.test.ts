import { faultyDisk } from './faulty-files';
import type { FaultyDisk } from './faulty-files';
import type { Journal } from './journal';
import { JournalFailedError, JournalFullError } from './journal-error';
import { openJournal } from './open-journal';

const SEEDS = Array.from({ length: 40 }, (_, index) => index + 1);

const openOn = (disk: FaultyDisk): Promise<Journal> =>
  openJournal({ directory: '/journal', files: disk.files });

async function texts(journal: Journal): Promise<string[]> {
  const found: string[] = [];
  for await (const { data } of journal.read(0)) found.push(data.toString());
  return found;
}

const append = (journal: Journal, ...records: string[]): Promise<unknown> =>
  journal.append(records.map((record) => Buffer.from(record)));

test('a failed sync rejects the group and ends the segment; the next append begins a new one', async () => {
  const disk = faultyDisk(1);
  const journal = await openOn(disk);
  await append(journal, 'before');
  disk.failSync();
  await expect(append(journal, 'failed')).rejects.toThrow(JournalFailedError);
  expect(journal.segments().map(({ sealed }) => sealed)).toEqual([true]);
  await append(journal, 'after');
  expect(journal.segments().map(({ sealed }) => sealed)).toEqual([true, false]);
  expect(await texts(journal)).toEqual(['before', 'after']);
});

test.each(SEEDS)(
  'what a failed sync left behind never shows between others (seed %i)',
  async (seed) => {
    const disk = faultyDisk(seed);
    const journal = await openOn(disk);
    await append(journal, 'before');
    disk.failSync();
    await expect(append(journal, 'failed', 'failed too')).rejects.toThrow(JournalFailedError);
    await append(journal, 'after');
    disk.crash();
    expect(await texts(await openOn(disk))).toEqual(['before', 'after']);
  },
);

test.each(SEEDS)(
  'records of a torn group show from the first on, or not (seed %i)',
  async (seed) => {
    const disk = faultyDisk(seed);
    const journal = await openOn(disk);
    await append(journal, 'before');
    disk.cutPowerAt(2); // the sync
    await expect(append(journal, 'one', 'two', 'three')).rejects.toThrow(JournalFailedError);
    disk.crash();
    const found = await texts(await openOn(disk));
    expect(['before', 'one', 'two', 'three'].slice(0, found.length)).toEqual(found);
  },
);

test.each(SEEDS)(
  'what opening showed once is there after the next crash (seed %i)',
  async (seed) => {
    const disk = faultyDisk(seed);
    const journal = await openOn(disk);
    await append(journal, 'before');
    disk.failSync();
    disk.cutPowerAt(3); // while the failed record is taken back
    await expect(append(journal, 'failed')).rejects.toThrow(JournalFailedError);
    disk.kill();
    const shown = await texts(await openOn(disk));
    disk.crash();
    expect(await texts(await openOn(disk))).toEqual(shown);
  },
);

test.each(SEEDS)('a crash while trimming leaves no gap (seed %i)', async (seed) => {
  const disk = faultyDisk(seed);
  const journal = await openOn(disk);
  for (const word of ['a', 'b', 'c', 'd']) {
    await append(journal, word);
    await journal.roll();
  }
  disk.cutPowerAt(1 + (seed % 6));
  await journal.trim(journal.end).catch(() => undefined);
  disk.crash();
  expect('abcd'.endsWith((await texts(await openOn(disk))).join(''))).toBe(true);
});

test.each(SEEDS)(
  'nor does one after a removal that could not be synced (seed %i)',
  async (seed) => {
    const disk = faultyDisk(seed);
    const journal = await openOn(disk);
    for (const word of ['a', 'b', 'c', 'd']) {
      await append(journal, word);
      await journal.roll();
    }
    const [, second] = journal.segments();
    disk.failSync();
    await expect(journal.trim(second!.start)).rejects.toThrow(JournalFailedError);
    disk.cutPowerAt(1 + (seed % 6));
    await journal.trim(journal.end).catch(() => undefined);
    disk.crash();
    expect('abcd'.endsWith((await texts(await openOn(disk))).join(''))).toBe(true);
  },
);

test('what was trimmed is gone for good once trimming again resolves, though a sync had failed', async () => {
  for (const seed of SEEDS) {
    const disk = faultyDisk(seed);
    const journal = await openOn(disk);
    await append(journal, 'a');
    await journal.roll();
    await append(journal, 'b');
    const [, second] = journal.segments();
    disk.failSync();
    await expect(journal.trim(second!.start)).rejects.toThrow(JournalFailedError);
    await journal.trim(second!.start);
    disk.crash();
    expect(await texts(await openOn(disk))).toEqual(['b']);
  }
});

test('a journal whose disk was too full for the first record of its only segment is empty, and goes on', async () => {
  const disk = faultyDisk(7);
  const journal = await openOn(disk);
  await append(journal, 'a'.repeat(100));
  await journal.roll();
  disk.setCapacity(journal.bytes + 60); // the next segment, but no record
  await expect(append(journal, 'b'.repeat(100))).rejects.toThrow(JournalFullError);
  await journal.trim(journal.end);
  expect(journal.segments().length).toBe(1);
  expect(await texts(journal)).toEqual([]);
  disk.setCapacity(Infinity);
  await append(journal, 'c');
  expect(await texts(journal)).toEqual(['c']);
});

test('a full disk refuses appends whole, and takes them again in the same segment when there is room', async () => {
  const disk = faultyDisk(3);
  const journal = await openOn(disk);
  await append(journal, 'one');
  disk.setCapacity(journal.bytes + 30);
  await expect(append(journal, 'does not fit')).rejects.toThrow(JournalFullError);
  await append(journal, 'fits');
  disk.setCapacity(Infinity);
  await append(journal, 'does not fit');
  expect(journal.segments().length).toBe(1);
  disk.crash();
  expect(await texts(await openOn(disk))).toEqual(['one', 'fits', 'does not fit']);
});

test('what a full disk took of an append does not show behind later records', async () => {
  const disk = faultyDisk(6);
  const journal = await openOn(disk);
  await append(journal, 'before');
  disk.setCapacity(journal.bytes + 60);
  await expect(append(journal, 'no 1', 'no 2', 'does not fit')).rejects.toThrow(JournalFullError);
  await append(journal, 'yes!'); // as long as the first of them
  disk.crash();
  expect(await texts(await openOn(disk))).toEqual(['before', 'yes!']);
});

test('a disk too full for a new segment refuses, and a failed begin leaves nothing in the way', async () => {
  const disk = faultyDisk(4);
  const journal = await openOn(disk);
  disk.setCapacity(10);
  await expect(append(journal, 'one')).rejects.toThrow(JournalFullError);
  disk.setCapacity(Infinity);
  disk.failSync(3); // of the directory: the header was synced twice, when it was written and to be sure of its file
  await expect(append(journal, 'one')).rejects.toThrow(JournalFailedError);
  disk.failSync(4); // of the first record
  await expect(append(journal, 'one')).rejects.toThrow(JournalFailedError);
  await append(journal, 'one');
  expect(disk.paths()).toEqual(['/journal/0000000000000000.journal']);
  expect(journal.segments().length).toBe(1);
  expect(await texts(journal)).toEqual(['one']);
});

test('a segmentHead that throws fails the append and nothing else', async () => {
  const disk = faultyDisk(5);
  let head = Buffer.alloc(2 * 1024 * 1024);
  const { files } = disk;
  const journal = await openJournal({ directory: '/j', files, segmentHead: () => head });
  await expect(append(journal, 'one')).rejects.toThrow(JournalFailedError);
  head = Buffer.alloc(3);
  await append(journal, 'one');
  expect(await texts(journal)).toEqual(['one']);
});
