import { faultyDisk } from '@auditing/journal/faulty-files';
import { openCursor } from '@auditing/journal/cursor';
import { Attempts, DEATHS_MAX, type RiskyStep } from './attempts';
import { FinalError } from './bisect';
import { event, eventually, TestGateway } from './testing/gateway';

const STEP: RiskyStep = { kind: 'archive', position: 7, range: { first: 0, count: 4 } };

async function afterRestart(disk: ReturnType<typeof faultyDisk>): Promise<Attempts> {
  disk.crash();
  return Attempts.open(await openCursor(disk.files, '/attempts'));
}

/** Begins a step of which the process dies. */
async function die(attempts: Attempts): Promise<void> {
  await new Promise<void>((begun) => {
    void attempts.guard(STEP, () => {
      begun();
      return new Promise(() => undefined);
    });
  });
}

test('a step that ended the process too often is not taken again', async () => {
  const disk = faultyDisk(1);
  // Of the first death only the fact is known: nothing is guarded before it.
  for (let death = 0; death <= DEATHS_MAX; death += 1) await die(await afterRestart(disk));
  const attempts = await afterRestart(disk);
  let taken = false;
  const guarded = attempts.guard(STEP, () => Promise.resolve((taken = true)));
  await expect(guarded).rejects.toThrow(FinalError);
  expect(taken).toBe(false);
  const half = { ...STEP, range: { first: 0, count: 2 } };
  await expect(attempts.guard(half, () => Promise.resolve('taken'))).resolves.toBe('taken');
});

test('a step that comes to an end, and be it an error, is not counted', async () => {
  const disk = faultyDisk(1);
  for (let death = 0; death < DEATHS_MAX * 3; death += 1) {
    const attempts = await afterRestart(disk);
    const away = attempts.guard(STEP, () => Promise.reject(new Error('away')));
    await expect(away).rejects.toThrow('away');
    // The process is killed while it waits for the next try.
  }
  await expect((await afterRestart(disk)).guard(STEP, () => Promise.resolve(1))).resolves.toBe(1);
});

test('a step that succeeds is not counted, though it comes again until its cursor is saved', async () => {
  const disk = faultyDisk(1);
  for (let death = 0; death < DEATHS_MAX * 3; death += 1) {
    const attempts = await afterRestart(disk);
    await expect(attempts.guard(STEP, () => Promise.resolve(death))).resolves.toBe(death);
  }
});

test('after a run that came to its end nothing is guarded', async () => {
  const disk = faultyDisk(1);
  for (let death = 0; death < DEATHS_MAX; death += 1) await die(await afterRestart(disk));
  await (await afterRestart(disk)).close();
  const attempts = await afterRestart(disk);
  await expect(attempts.guard(STEP, () => Promise.resolve('taken'))).resolves.toBe('taken');
});

test('one guarded step is taken at a time', async () => {
  const disk = faultyDisk(1);
  await afterRestart(disk);
  const attempts = await afterRestart(disk);
  let underWay = 0;
  let most = 0;
  const step = async (): Promise<void> => {
    underWay += 1;
    most = Math.max(most, underWay);
    await new Promise((resolve) => setImmediate(resolve));
    underWay -= 1;
  };
  await Promise.all([1, 2, 3].map((position) => attempts.guard({ ...STEP, position }, step)));
  expect(most).toBe(1);
});

test('an event that ends the process each time is found, buried, and all others are archived', async () => {
  const disk = faultyDisk(3);
  const gateway = new TestGateway(disk.files);
  const events = ['a', 'b', 'killer', 'd'].map((id) => event(id));
  const dead: ((error: Error) => void)[] = [];
  gateway.archive.fault = ({ kept }) =>
    // As if it took so much memory that the process was killed in the middle of it.
    kept?.positions.includes(2) ? new Promise((_, reject) => dead.push(reject)) : undefined;
  await gateway.start();
  await gateway.post(...events);
  let restarts = 0;
  while (gateway.letters.length === 0 && restarts < DEATHS_MAX * 6) {
    await new Promise((resolve) => setTimeout(resolve, 30));
    disk.crash();
    gateway.halt();
    gateway.files = disk.files;
    await gateway.start();
    restarts += 1;
  }
  await eventually('the others are stored', () => gateway.archive.stored.length === 3);
  await gateway.stop();
  expect(gateway.letters.map(({ data }) => data.toString())).toEqual([events[2]]);
  expect([...gateway.archive.stored].sort()).toEqual([events[0], events[1], events[3]].sort());
  // All four, the half, the one; and some in which the process died before it came so far.
  expect(restarts).toBeLessThanOrEqual(DEATHS_MAX * 5);
  // Lets the timers of the processes that died end with the test.
  for (const reject of dead) reject(new Error('dead'));
});
