import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openJournal } from '@auditing/journal/open-journal';
import { FollowedJournal } from './followed-journal';

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
async function followed(count: number) {
  const journal = await openJournal({ directory: folder });
  const clock = { ms: 1_000 };
  const all = new FollowedJournal({
    journal,
    decode: ({ position, next }) => ({ position, next }),
    memoryBytes: MEMORY_BYTES,
    now: () => clock.ms,
  });
  const records = Array.from({ length: count }, () => Buffer.from('entry'));
  const { positions, end } = await journal.append(records);
  positions.forEach((position, index) =>
    all.add({ position, next: positions[index + 1] ?? end }, 100),
  );
  return { all, clock, positions, end, close: () => journal.close() };
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
