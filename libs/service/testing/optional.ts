import { spawnSync } from 'node:child_process';

/** Programs that some tests need; `tools/test-report.cjs` knows the line that installs each. */
type Program = 'redis-server' | 'prometheus-alertmanager' | 'promtool';

/**
 * `describe`, if a program is on PATH; else the tests are skipped under a name that says what they need, which the
 * report at the end of a run looks for.
 */
export function describeWith(program: Program, name: string, tests: () => void): void {
  if (spawnSync(program, ['--version']).error === undefined) describe(name, tests);
  else describe.skip(`needs ${program}: ${name}`, tests);
}
