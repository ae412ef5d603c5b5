import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { build } from 'esbuild';
import { openJournal } from './open-journal';

/** Each takes about 150 ms. */
const KILLS = 12;

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'journal-kill-'));
});

afterEach(() => rm(directory, { recursive: true }));

/** Lets a process append from `first` on, kills it, and gives the numbers it said were acknowledged. */
async function appendUntilKilled(
  program: string,
  first: number,
  afterMs: number,
): Promise<number[]> {
  const child = spawn(process.execPath, [program, join(directory, 'data'), String(first)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const closed = new Promise((resolve) => child.once('close', resolve));
  await new Promise((resolve) => child.stdout.once('data', resolve));
  await sleep(afterMs);
  child.kill('SIGKILL');
  await closed;
  // What follows the last line end may be half a number.
  return output.split('\n').slice(0, -1).map(Number);
}

test('a process killed at any moment has kept every record it said was kept', async () => {
  const program = join(directory, 'append-forever.cjs');
  await build({
    entryPoints: [join(__dirname, 'testing/append-forever.ts')],
    bundle: true,
    platform: 'node',
    format: 'cjs',
    outfile: program,
    logLevel: 'error',
  });
  const acknowledged: number[] = [];
  let next = 1;
  for (let kill = 0; kill < KILLS; kill++) {
    acknowledged.push(...(await appendUntilKilled(program, next, 5 + ((kill * 37) % 80))));
    const journal = await openJournal({ directory: join(directory, 'data') });
    const found: number[] = [];
    for await (const { data } of journal.read(0)) {
      const number = Number(data.subarray(0, 20).toString());
      expect(
        data.equals(Buffer.alloc(20 + (number % 5000), String(number).padStart(20, '0'))),
      ).toBe(true);
      found.push(number);
    }
    await journal.close();
    const all = new Set(found);
    expect(all.size).toBe(found.length);
    expect(acknowledged.filter((number) => !all.has(number))).toEqual([]);
    expect([...found].sort((a, b) => a - b)).toEqual(found);
    next = (found.at(-1) ?? 0) + 1;
  }
  expect(acknowledged.length).toBeGreaterThan(KILLS);
}, 300_000);
