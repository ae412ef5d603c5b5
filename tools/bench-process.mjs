// Processes that are measured: started with a probe, which says what they have used.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const READY_TIMEOUT_MS = 30_000;

let profiling = [];

/** Lets every process that is started from now on leave a CPU profile in a folder when it ends. */
export function profileInto(folder) {
  profiling = ['--cpu-prof', '--cpu-prof-dir', folder, '--cpu-prof-interval', '500'];
}

/**
 * Starts a Node program that prints `ready {…}`; resolves when it has.
 *
 * @param options `root` of the checkout, `script` and its `args`, `env` beside PATH and HOME
 */
export async function startProcess({ root, script, args = [], env = {} }) {
  const startedAt = performance.now();
  const probe = pathToFileURL(join(root, 'tools/bench-probe.mjs')).href;
  const command = [...profiling, '--import', probe, join(root, script), ...args];
  const child = spawn(process.execPath, command, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
  });
  let stderr = '';
  child.stderr.on('data', (chunk) => (stderr = `${stderr}${chunk}`.slice(-20_000)));
  const exited = once(child, 'exit');
  const ready = new Promise((resolve) =>
    createInterface(child.stdout).on('line', (line) => {
      if (line.startsWith('ready ')) resolve(JSON.parse(line.slice('ready '.length)));
    }),
  );
  const late = AbortSignal.timeout(READY_TIMEOUT_MS);
  const addresses = await Promise.race([
    ready,
    exited.then(() => undefined),
    once(late, 'abort').then(() => undefined),
  ]);
  if (addresses === undefined) {
    child.kill('SIGKILL');
    throw new Error(`${script} ${args.join(' ')} did not get ready:\n${stderr}`);
  }
  return {
    name: [script.split('/')[1], ...args].join(' '),
    addresses,
    readyMs: performance.now() - startedAt,
    stderr: () => stderr,
    /** CPU time, memory and peak memory so far. */
    async usage() {
      child.send('usage');
      const [answer] = await once(child, 'message');
      return answer;
    },
    async stop() {
      child.kill('SIGTERM');
      await exited;
    },
  };
}

/** CPU time of several processes so far, in microseconds. */
export async function cpuUs(processes) {
  const all = await Promise.all(processes.map((one) => one.usage()));
  return all.reduce((sum, { cpuUs: used }) => sum + used, 0);
}
