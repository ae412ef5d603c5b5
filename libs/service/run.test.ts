import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';

// The one test that needs a process of its own: run.ts owns signals and the exit code.

let folder: string;
let program: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'run-test-'));
  program = join(folder, 'main.cjs');
  await build({
    stdin: {
      contents: `
        import { run } from './run';
        void run({
          name: 'example',
          adminPort: 0,
          settings: {},
          setUp: ({ closeLater }) => {
            closeLater('slow', () => process.env.HANG ? new Promise(() => setInterval(() => {}, 1000)) : undefined);
            return Promise.resolve({ addresses: { example: 'here' } });
          },
        });`,
      resolveDir: __dirname,
    },
    outfile: program,
    bundle: true,
    platform: 'node',
    logLevel: 'error',
  });
}, 300_000);

afterAll(() => rm(folder, { recursive: true }));

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function launch(env: Record<string, string>): {
  child: ChildProcessWithoutNullStreams;
  ready: Promise<void>;
  ended: Promise<Ended>;
} {
  const child = spawn(process.execPath, [program], { env });
  let stdout = '';
  let stderr = '';
  const ready = new Promise<void>((resolve) => {
    child.stdout.on('data', (data: Buffer) => {
      stdout += data.toString();
      if (stdout.includes('\n')) resolve();
    });
  });
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
  return { child, ready, ended };
}

test('prints the ready line alone on stdout, and ends with 0 on SIGTERM', async () => {
  const { child, ready, ended } = launch({});
  await ready;
  child.kill('SIGTERM');
  const { code, stdout, stderr } = await ended;
  expect(code).toBe(0);
  expect(stdout).toMatch(/^ready {"example":"here","admin":"http:\/\/127\.0\.0\.1:\d+"}\n$/);
  for (const line of stderr.trim().split('\n'))
    expect(JSON.parse(line)).toMatchObject({ service: 'example' });
});

test('ends with 1 and plain words if a setting is bad', async () => {
  const { code, stdout, stderr } = await launch({ AUDITING_ADMIN_PORT: 'x' }).ended;
  expect(code).toBe(1);
  expect(stdout).toBe('');
  expect(stderr).toBe(
    'example: bad settings:\n  AUDITING_ADMIN_PORT: expected a whole number from 0 to 65535, got "x"\n',
  );
});

test('ends at once with 1 on a second signal', async () => {
  const { child, ready, ended } = launch({ HANG: '1' });
  await ready;
  child.kill('SIGINT');
  // Two that come before the first was met are one.
  const again = setInterval(() => child.kill('SIGINT'), 200);
  expect((await ended).code).toBe(1);
  clearInterval(again);
});
