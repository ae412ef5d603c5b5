// Runs all tests: `npm test [-- jest options]`. Tests that need a program this machine lacks are listed at the end;
// with AUDITING_TEST_ALL=1 they make the run fail instead.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const scratch = mkdtempSync(join(tmpdir(), 'auditing-tests-'));
const results = join(scratch, 'results.json');
const jest = spawnSync(
  process.execPath,
  [
    'node_modules/jest/bin/jest.js',
    '--reporters=default',
    // Absolute: each project would look for a relative one below its own folder.
    `--reporters=${fileURLToPath(new URL('test-report.cjs', import.meta.url))}`,
    '--json',
    `--outputFile=${results}`,
    '--maxWorkers=2',
    ...process.argv.slice(2),
  ],
  { stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, TMPDIR: scratch } },
);
let code = jest.status ?? 1;
try {
  const { numPendingTests, numPassedTests } = JSON.parse(readFileSync(results, 'utf8'));
  if (process.env.AUDITING_TEST_ALL === '1' && numPendingTests > 0) code = 1;
  if (numPassedTests === 0) code = 1;
} catch {
  code = 1;
}
rmSync(scratch, { recursive: true, force: true });
process.exit(code);
