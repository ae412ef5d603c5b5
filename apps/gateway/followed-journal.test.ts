import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openJournal } from '@auditing/journal/open-journal';
import { FollowedJournal, type Written } from './followed-journal';

/** A sixteenth of it is one entry. */
const MEMORY_BYTES = 1600;
/** Longer than any test may take: it ends what hangs. */
const LONG_MS = 3_600_000;

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'followed-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

/** A journal with entries of 100 bytes of memory each, and a clock that stands still. */
async function followed(count: number, memoryBytes = MEMORY_BYTES) {
  const journal = await openJournal({ directory: folder });
  const clock = { ms: 1_000 };
  const readBack: number[] = [];
  const all = new FollowedJournal({
    journal,
    decode: ({ position, next }) => {
      readBack.push(position);
      return { entry: { position, next }, bytes: 100 };
    },
    memoryBytes,
    now: () => clock.ms,
  });
  const records = Array.from({ length: count }, () => Buffer.from('entry'));
  const { positions, end } = await journal.append(records);
  positions.forEach((position, index) =>
    all.add({ position, next: positions[index + 1] ?? end }, 100),
  );
  return { all, clock, positions, end, readBack, close: () => journal.close() };
}

/** Whether a promise is settled once all that is due has run. */
async function isSettled(promise: Promise<void>): Promise<boolean> {
  const later = new Promise((resolve) => setImmediate(() => setImmediate(() => resolve('later'))));
  return (await Promise.race([promise, later])) !== 'later';
}

test('who writes waits while more than a sixteenth of the memory is taken and readers get on', async () => {
  const { all, positions, end, close } = await followed(4);
  all.release(positions[1] ?? 0);
  const waiting = all.room(LONG_MS);
  expect(await isSettled(waiting)).toBe(false);
  all.release(positions[2] ?? 0);
  expect(await isSettled(waiting)).toBe(false);
  all.release(end);
  await waiting;
  await close();
});

test('nobody waits where there is room', async () => {
  const { all, positions, close } = await followed(2);
  all.release(positions[1] ?? 0);
  await all.room(LONG_MS);
  await close();
});

test('nobody waits for readers that stand still', async () => {
  const { all, clock, positions, close } = await followed(4);
  await all.room(LONG_MS);
  all.release(positions[1] ?? 0);
  clock.ms += 500;
  await all.room(LONG_MS);
  await close();
});

test('nobody waits longer than was said', async () => {
  const { all, clock, positions, close } = await followed(4);
  all.release(positions[1] ?? 0);
  const waiting = all.room(1);
  clock.ms += 1;
  await waiting;
  await close();
});

/** The positions that a reader gets who begins at the first one, and reads no further than `end`. */
async function readAll(all: FollowedJournal<Written>, end: number): Promise<number[]> {
  const seen: number[] = [];
  for await (const { position, next } of all.follow(0, new AbortController().signal)) {
    seen.push(position);
    if (next >= end) break;
  }
  return seen;
}

test('when memory is full those stay that are needed first', async () => {
  const { all, positions, end, readBack, close } = await followed(5, 300);
  expect(await readAll(all, end)).toEqual(positions);
  expect(readBack).toEqual(positions.slice(3));
  await close();
});

test('what one reader reads back is in memory for those who come after', async () => {
  const { all, positions, end, readBack, close } = await followed(5, 300);
  const [, , third = 0] = positions;
  await readAll(all, end);
  all.release(third);
  readBack.length = 0;
  // For the last two there is no room while the first three are held.
  expect(await readAll(all, end)).toEqual(positions);
  expect(await readAll(all, end)).toEqual(positions);
  const [first = 0, second = 0, , fourth = 0, fifth = 0] = positions;
  expect(readBack).toEqual([first, second, fourth, fifth, fourth, fifth]);
  await close();
});

test('an entry that was read back before it was added is counted once', async () => {
  const { all, positions, end, close } = await followed(2, 300);
  const [first = 0, second = 0] = positions;
  all.add({ position: first, next: second }, 100);
  all.add({ position: first, next: second }, 100);
  all.add({ position: second, next: end }, 100);
  expect(await readAll(all, end)).toEqual(positions);
  await close();
});

test('many thousands of small entries are held, in whatever order they come, and let go of', async () => {
  const count = 200_000;
  const { all, positions, end, readBack, close } = await followed(1, 150_000);
  const [first = 0] = positions;
  all.release(end);
  for (let at = 1_000; at < count; at++) all.add({ position: at, next: at + 1 }, 1);
  // As if these were read back.
  for (let at = 999; at >= 0; at--) all.add({ position: at, next: at + 1 }, 1);
  expect((await readAll(all, 150_000)).length).toBe(150_000 - first);
  expect(readBack).toEqual([]);
  all.release(count);
  await all.room(LONG_MS);
  await close();
}, 60_000);
