import { openCursor, writeDurably } from './cursor';
import { faultyDisk } from './faulty-files';
import type { Files } from './files';

const PATH = '/data/cursor';
const SEEDS = Array.from({ length: 60 }, (_, index) => index + 1);

const valueOf = async (files: Files): Promise<number> =>
  Number((await openCursor(files, PATH)).value?.toString() ?? 0);

test.each(SEEDS)(
  'a crash at any change leaves the value before or the one being saved (seed %i)',
  async (seed) => {
    const disk = faultyDisk(seed);
    const cursor = await openCursor(disk.files, PATH);
    disk.cutPowerAt(1 + (seed % 20));
    let saved = 0;
    for (let value = 1; disk.isPowered; value++)
      await cursor.save(Buffer.from(String(value))).then(
        () => (saved = value),
        () => undefined,
      );
    disk.crash();
    const found = await valueOf(disk.files);
    expect([saved, saved + 1]).toContain(found);
    disk.crash();
    expect(await valueOf(disk.files)).toBe(found);
  },
);

test.each(SEEDS)(
  'a value found after a kill is there after a crash too (seed %i)',
  async (seed) => {
    const disk = faultyDisk(seed);
    const cursor = await openCursor(disk.files, PATH);
    await cursor.save(Buffer.from('1'));
    disk.cutPowerAt(1 + (seed % 7));
    await cursor.save(Buffer.from('2')).catch(() => undefined);
    disk.kill();
    const found = await valueOf(disk.files);
    disk.crash();
    expect(await valueOf(disk.files)).toBe(found);
  },
);

test('a failed save keeps the value before, and the next one works', async () => {
  const disk = faultyDisk(7);
  const cursor = await openCursor(disk.files, PATH);
  await cursor.save(Buffer.from('1'));
  disk.failSync();
  await expect(cursor.save(Buffer.from('2'))).rejects.toThrow('EIO');
  expect(cursor.value?.toString()).toBe('1');
  expect(await valueOf(disk.files)).toBe(1);
  await cursor.save(Buffer.from('3'));
  disk.crash();
  expect(await valueOf(disk.files)).toBe(3);
});

test('a damaged copy costs one save; two damaged copies are an error', async () => {
  const disk = faultyDisk(8);
  const cursor = await openCursor(disk.files, PATH);
  for (const value of ['1', '2', '3']) await cursor.save(Buffer.from(value));
  disk.flip(PATH, 20);
  expect(await valueOf(disk.files)).toBe(2);
  disk.flip(`${PATH}.previous`, 3);
  await expect(openCursor(disk.files, PATH)).rejects.toThrow('is damaged');
});

test('saves that wait are joined, and all resolve with the last one', async () => {
  const disk = faultyDisk(9);
  let syncs = 0;
  const files: Files = {
    ...proxied(disk.files),
    syncDirectory: (path) => {
      syncs++;
      return disk.files.syncDirectory(path);
    },
  };
  const cursor = await openCursor(files, PATH);
  syncs = 0;
  await Promise.all(
    Array.from({ length: 50 }, (_, index) => cursor.save(Buffer.from(String(index)))),
  );
  expect(syncs).toBeLessThanOrEqual(2);
  expect(cursor.value?.toString()).toBe('49');
});

test.each(SEEDS)('a file written durably is the old or the new one (seed %i)', async (seed) => {
  const disk = faultyDisk(seed);
  await disk.files.makeDirectory('/data');
  await writeDurably(disk.files, '/data/file', Buffer.from('old'));
  disk.cutPowerAt(1 + (seed % 6));
  const isNew = await writeDurably(disk.files, '/data/file', Buffer.from('new!')).then(
    () => true,
    () => false,
  );
  disk.crash();
  const file = await disk.files.open('/data/file', 'read');
  const found = (await file.read(0, 10)).toString();
  expect(isNew ? ['new!'] : ['old', 'new!']).toContain(found);
});

const proxied = (files: Files): Files => ({
  open: (path, mode) => files.open(path, mode),
  rename: (from, to) => files.rename(from, to),
  unlink: (path) => files.unlink(path),
  makeDirectory: (path) => files.makeDirectory(path),
  list: (path) => files.list(path),
  syncDirectory: (path) => files.syncDirectory(path),
});
