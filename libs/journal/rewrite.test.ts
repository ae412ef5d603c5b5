import fc from 'fast-check';
import { faultyDisk } from './faulty-files';
import type { FaultyDisk } from './faulty-files';
import { placeInJournal, REWRITTEN } from './journal';
import type { Journal, Segment } from './journal';
import { openJournal } from './open-journal';

const DIRECTORY = '/data/log';

function open(disk: FaultyDisk): Promise<Journal> {
  return openJournal({
    directory: DIRECTORY,
    files: disk.files,
    segmentHead: (previous) => Buffer.from(`head after ${previous?.start ?? 'nothing'}`),
  });
}

/** Two ended segments of ten records, and a third that is written to. */
async function filled(disk: FaultyDisk): Promise<Journal> {
  const journal = await open(disk);
  for (let at = 0; at < 25; at += 1) {
    await journal.append([Buffer.from(`record ${String(at).padStart(4, '0')}`)]);
    if (at === 9 || at === 19) await journal.roll();
  }
  return journal;
}

async function* joined(...texts: readonly string[]): AsyncIterable<Uint8Array> {
  for (const text of texts) yield await Promise.resolve(Buffer.from(text));
}

async function textsOf(journal: Journal, from = 0): Promise<string[]> {
  const texts: string[] = [];
  for await (const { data } of journal.read(from)) texts.push(data.toString());
  return texts;
}

const old = (first: number, count: number): string[] =>
  Array.from({ length: count }, (_, at) => `record ${String(first + at).padStart(4, '0')}`);

const REWRITE = ['0-4', '5-9'];
const AFTER = [...REWRITE, ...old(10, 15)];

let disk: FaultyDisk;
beforeEach(() => {
  disk = faultyDisk(9);
});

test('a rewritten segment has its new records, its old place and head, and takes fewer bytes', async () => {
  const journal = await filled(disk);
  const [before, second] = journal.segments();
  const bytesBefore = journal.bytes;
  const { positions } = (await journal.rewrite(0, joined(...REWRITE)))!;
  expect(await textsOf(journal)).toEqual(AFTER);
  const [after] = journal.segments();
  expect(after).toMatchObject({ start: 0, end: before?.end, head: before?.head });
  expect(after).toMatchObject({ isRewritten: true, sealed: true });
  expect(bytesBefore - journal.bytes).toBe((before?.bytes ?? 0) - (after?.bytes ?? 0));
  expect(positions.map(placeInJournal)[0]).toBe(journal.start);
  const reader = journal.reader(100);
  const single = await Promise.all(positions.map((position) => journal.readAt(position)));
  expect(single.map(({ data }) => data.toString())).toEqual(REWRITE);
  expect((await reader.readAt(second?.start ?? 0)).data.toString()).toBe('record 0010');
  await reader.close();
  // Reading goes on in the middle of it, and from there into the next segment.
  expect(await textsOf(journal, positions[1])).toEqual(AFTER.slice(1));
  await journal.close();
  const reopened = await open(disk);
  expect(await textsOf(reopened)).toEqual(AFTER);
  expect(reopened.segments()[0]).toEqual(after);
  await reopened.close();
});

test('positions of before and after are not taken for each other', async () => {
  const journal = await filled(disk);
  const { positions } = await journal.append([Buffer.from('last')]);
  await journal.rewrite(0, joined(...REWRITE));
  const oldPosition = journal.start + 31;
  await expect(journal.readAt(journal.start)).rejects.toThrow(/no record at/);
  await expect(journal.readAt(oldPosition)).rejects.toThrow(/no record at/);
  // Reading goes on with the segment behind it: where it was told to, it would find nothing again, for ever.
  const [{ end }, { start: second }] = journal.segments() as [Segment, Segment];
  await expect(textsOf(journal, oldPosition)).rejects.toMatchObject({ next: end });
  await expect(textsOf(journal, REWRITTEN + second + 60)).rejects.toMatchObject({
    next: journal.segments()[1]!.end,
  });
  await expect(journal.readAt(REWRITTEN + (positions[0] ?? 0))).rejects.toThrow(/no record at/);
  await expect(journal.readAt(journal.segments()[0]!.end - 1)).rejects.toThrow(/no record at/);
  await journal.close();
});

test('whoever reads the segment meanwhile reads it as it was', async () => {
  const journal = await filled(disk);
  const texts: string[] = [];
  for await (const { data } of journal.read(0)) {
    if (texts.length === 0) await journal.rewrite(0, joined(...REWRITE));
    texts.push(data.toString());
  }
  expect(texts).toEqual(old(0, 25));
  expect(await textsOf(journal)).toEqual(AFTER);
  await journal.close();
});

test('only an ended segment is rewritten, once, and only into fewer bytes', async () => {
  const journal = await filled(disk);
  const [, , last] = journal.segments();
  expect(await journal.rewrite(last!.start, joined('x'))).toBeUndefined();
  expect(await journal.rewrite(1, joined('x'))).toBeUndefined();
  expect(await journal.rewrite(0, joined('x'.repeat(400)))).toBeUndefined();
  expect(await journal.rewrite(0, joined(...REWRITE))).toBeDefined();
  expect(await journal.rewrite(0, joined('x'))).toBeUndefined();
  expect(await textsOf(journal)).toEqual(AFTER);
  expect(disk.paths().filter((path) => path.endsWith('.new'))).toEqual([]);
  await journal.close();
});

test('a segment that is trimmed while it is rewritten is gone', async () => {
  const journal = await filled(disk);
  const [, second] = journal.segments();
  async function* slowly(): AsyncIterable<Uint8Array> {
    yield Buffer.from('0-9');
    await journal.trim(second!.start);
  }
  expect(await journal.rewrite(0, slowly())).toBeUndefined();
  await journal.rewrite(second!.start, joined('10-19'));
  expect(await textsOf(journal)).toEqual(['10-19', ...old(20, 5)]);
  await journal.trim(journal.end);
  expect(await textsOf(journal)).toEqual(old(20, 5));
  expect(disk.paths()).toHaveLength(1);
  await journal.close();
});

test('what was trimmed does not come back with an old file that could not be removed', async () => {
  const journal = await filled(disk);
  const [first, second] = journal.segments();
  const { unlink } = disk.files;
  disk.files.unlink = () => Promise.reject(Object.assign(new Error('EIO'), { code: 'EIO' }));
  await journal.rewrite(0, joined(...REWRITE));
  disk.files.unlink = unlink;
  expect(disk.paths()).toContain(first!.path);
  await journal.trim(second!.start);
  const { start } = journal;
  expect(disk.paths()).toHaveLength(2);
  await journal.close();
  const reopened = await open(disk);
  expect(reopened.start).toBe(start);
  expect(await textsOf(reopened)).toEqual(old(10, 15));
  await reopened.close();
});

test('where writing, a sync or the source of the records fails, the segment stays as it was', async () => {
  const journal = await filled(disk);
  const before = await textsOf(journal);
  async function* failing(): AsyncIterable<Uint8Array> {
    yield await Promise.resolve(Buffer.from('0-4'));
    throw new Error('cannot be joined');
  }
  await expect(journal.rewrite(0, failing())).rejects.toThrow('cannot be joined');
  for (const nth of [1, 2]) {
    disk.failSync(nth);
    await expect(journal.rewrite(0, joined(...REWRITE))).rejects.toThrow('EIO');
    expect(await textsOf(journal)).toEqual(before);
  }
  disk.setCapacity(1);
  await expect(journal.rewrite(0, joined(...REWRITE))).rejects.toThrow('ENOSPC');
  disk.setCapacity(2 ** 30);
  expect(await textsOf(journal)).toEqual(before);
  expect(disk.paths()).toHaveLength(3);
  await journal.append([Buffer.from('record 0025')]);
  await journal.close();
  const reopened = await open(disk);
  expect(await textsOf(reopened)).toEqual(old(0, 26));
  await reopened.close();
});

test('after a power cut or a kill at any moment the old records are there or the new ones', async () => {
  const outcomes = new Set<string>();
  await fc.assert(
    fc.asyncProperty(
      fc.integer(),
      fc.integer({ min: 1, max: 9 }),
      fc.boolean(),
      async (seed, nth, isKill) => {
        const faulty = faultyDisk(seed);
        const journal = await filled(faulty);
        faulty.cutPowerAt(nth);
        const rewritten = await journal.rewrite(0, joined(...REWRITE)).catch(() => undefined);
        await journal.close().catch(() => undefined);
        if (isKill) faulty.kill();
        else faulty.crash();
        const reopened = await open(faulty);
        const texts = await textsOf(reopened);
        expect([AFTER, old(0, 25)]).toContainEqual(texts);
        if (rewritten !== undefined) expect(texts).toEqual(AFTER);
        outcomes.add(texts[0] ?? '');
        // Nothing is left over, and it is written on.
        expect(faulty.paths()).toHaveLength(3);
        await reopened.append([Buffer.from('more')]);
        expect(await textsOf(reopened)).toEqual([...texts, 'more']);
        await reopened.close();
      },
    ),
    { numRuns: 300 },
  );
  expect(outcomes.size).toBe(2);
}, 300_000);

test('where the segment after it is lost, the journal is written on behind it', async () => {
  const journal = await filled(disk);
  const [, second, third] = journal.segments();
  await journal.rewrite(second!.start, joined('10-19'));
  await journal.close();
  const file = await disk.files.open(third!.path, 'write');
  await file.truncate(3);
  await file.close();
  const reopened = await open(disk);
  expect(reopened.end).toBe(third?.start);
  const { positions } = await reopened.append([Buffer.from('more')]);
  expect(positions[0]).toBeGreaterThan(third!.start);
  expect(await textsOf(reopened)).toEqual([...old(0, 10), '10-19', 'more']);
  await reopened.close();
});

test('a rewritten segment whose header is damaged is told of, and reading goes on behind it', async () => {
  const journal = await filled(disk);
  await journal.rewrite(0, joined(...REWRITE));
  const [first, second] = journal.segments();
  await journal.close();
  disk.flip(first!.path, 20);
  const reopened = await open(disk);
  await expect(textsOf(reopened)).rejects.toMatchObject({ next: second?.start });
  expect(await textsOf(reopened, second?.start)).toEqual(old(10, 15));
  await reopened.close();
});
