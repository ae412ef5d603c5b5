import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { faultyDisk, type FaultyDisk } from '@auditing/journal/faulty-files';
import { nodeFiles } from '@auditing/journal/node-files';
import { Attempts, DEATHS_MAX, type RiskyStep } from './attempts';
import { AttemptsFile } from './attempts-file';
import { FinalError } from './bisect';
import { event, eventually, TestGateway } from './testing/gateway';

const PATH = '/data/attempts';
const STEP: RiskyStep = { kind: 'archive', position: 7, range: { first: 0, count: 4 } };
const SPOOL = { start: 0, end: 1_000 };
const never = (): Promise<never> => new Promise(() => undefined);

const open = async ({ files }: FaultyDisk, spool = SPOOL): Promise<Attempts> =>
  new Attempts(await AttemptsFile.open(files, PATH), spool);

/** The process is killed, and the disk keeps what was written. */
function afterKill(disk: FaultyDisk): Promise<Attempts> {
  disk.kill();
  return open(disk);
}

/** Begins a step of which the process dies, if it is taken (still). */
async function die(attempts: Attempts): Promise<void> {
  await new Promise<void>((resolve) => {
    const step = (): Promise<never> => {
      resolve();
      return never();
    };
    attempts.guard(STEP, step).catch(resolve);
  });
}

/** The process dies of the step until it must not be taken again. */
async function dieOften(disk: FaultyDisk): Promise<void> {
  // Of the first death only the fact is known: nothing is guarded before it.
  for (let death = 0; death <= DEATHS_MAX; death += 1) await die(await afterKill(disk));
}

const taken = (attempts: Attempts, step = STEP): Promise<string> =>
  attempts.guard(step, () => Promise.resolve('taken'));

test('a step that ended the process too often is not taken again', async () => {
  const disk = faultyDisk(1);
  await dieOften(disk);
  const attempts = await afterKill(disk);
  await expect(taken(attempts)).rejects.toThrow(FinalError);
  await expect(taken(attempts, { ...STEP, range: { first: 0, count: 2 } })).resolves.toBe('taken');
});

test('it is still known when steps with later parts were taken', async () => {
  const disk = faultyDisk(1);
  await dieOften(disk);
  await taken(await afterKill(disk), { ...STEP, position: 8 });
  await expect(taken(await afterKill(disk))).rejects.toThrow(FinalError);
});

test('a step that comes to an end, and be it an error, is not counted', async () => {
  const disk = faultyDisk(1);
  for (let death = 0; death < DEATHS_MAX * 3; death += 1) {
    const attempts = await afterKill(disk);
    const away = attempts.guard(STEP, () => Promise.reject(new Error('away')));
    await expect(away).rejects.toThrow('away');
    // The process is killed while it waits for the next try.
  }
  await expect(taken(await afterKill(disk))).resolves.toBe('taken');
});

test('a process killed in the moment after a step, again and again, did not die of it', async () => {
  const disk = faultyDisk(1);
  for (let death = 0; death < DEATHS_MAX * 3; death += 1) {
    const attempts = await afterKill(disk);
    await attempts.guard(STEP, () => Promise.resolve());
  }
  await expect(taken(await afterKill(disk))).resolves.toBe('taken');
});

test('a process killed while a step waits for its turn did not die of that step', async () => {
  const disk = faultyDisk(1);
  const waiting = { ...STEP, position: 8 };
  for (let death = 0; death <= DEATHS_MAX; death += 1) {
    const attempts = await afterKill(disk);
    await die(attempts);
    void attempts.guard(waiting, never);
  }
  await expect(taken(await afterKill(disk), waiting)).resolves.toBe('taken');
});

test('after a run that came to its end nothing is guarded', async () => {
  const disk = faultyDisk(1);
  await dieOften(disk);
  await (await afterKill(disk)).close();
  await expect(taken(await afterKill(disk))).resolves.toBe('taken');
});

test('what is known of parts that left the spool is of no use to others in their place', async () => {
  const disk = faultyDisk(1);
  await dieOften(disk);
  disk.kill();
  // The folder of the spool was lost: positions begin anew.
  await open(disk, { start: 0, end: 0 });
  await expect(taken(await afterKill(disk))).resolves.toBe('taken');
});

test.each(Array.from({ length: 20 }, (_, seed) => seed))(
  'a loss of power at worst has the counting begin anew (seed %i)',
  async (seed) => {
    const disk = faultyDisk(seed);
    await dieOften(disk);
    disk.crash();
    const outcome = await taken(await open(disk)).catch((error: unknown) => error);
    if (outcome !== 'taken') expect(outcome).toBeInstanceOf(FinalError);
    await dieOften(disk);
    await expect(taken(await afterKill(disk))).rejects.toThrow(FinalError);
  },
);

test('damage costs what was saved last, or all', async () => {
  const disk = faultyDisk(1);
  await dieOften(disk);
  await dieOften(disk);
  disk.flip(PATH, 20);
  const { last } = await AttemptsFile.open(disk.files, PATH);
  expect(last?.counts).toHaveLength(1);
  disk.flip(PATH, 64 * 1024 + 20);
  expect((await AttemptsFile.open(disk.files, PATH)).last).toBeUndefined();
});

test('what was saved is in the file at once', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'attempts-'));
  const path = join(directory, 'gateway', 'attempts');
  const file = await AttemptsFile.open(nodeFiles, path);
  for (const count of [1, 2, 3]) {
    const remembered = { stopped: false, counts: [['read 7 0 4', count]] } as const;
    file.save(remembered);
    const other = await AttemptsFile.open(nodeFiles, path);
    expect(other.last).toEqual(remembered);
    await other.close();
  }
  await file.close();
  await rm(directory, { recursive: true });
});

test('a disk that takes no more stops no step', async () => {
  const disk = faultyDisk(1);
  await open(disk);
  const attempts = await afterKill(disk);
  disk.setCapacity(0);
  await expect(taken(attempts)).resolves.toBe('taken');
});

test('one guarded step is taken at a time', async () => {
  const disk = faultyDisk(1);
  await open(disk);
  const attempts = await afterKill(disk);
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
  for (let life = 0; gateway.letters.length === 0 && life < DEATHS_MAX * 6; life++) {
    const deaths = dead.length;
    // Some die before they come so far: those are not to count.
    if (life % 4 !== 3)
      await eventually(
        'it is met, or buried',
        () => dead.length > deaths || gateway.letters.length > 0,
      );
    disk.kill();
    gateway.halt();
    gateway.files = disk.files;
    await gateway.start();
  }
  await eventually('the others are stored', () => gateway.archive.stored.length === 3);
  await gateway.stop();
  expect(gateway.letters.map(({ data }) => data.toString())).toEqual([events[2]]);
  expect([...gateway.archive.stored].sort()).toEqual([events[0], events[1], events[3]].sort());
  // All four, the half, the one; and the first, when nothing had died yet that would have to be counted.
  expect(dead.length).toBeLessThanOrEqual(DEATHS_MAX * 3 + 1);
  // Lets the timers of the processes that died end with the test.
  for (const reject of dead) reject(new Error('dead'));
});
