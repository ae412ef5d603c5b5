import { spawnSync } from 'node:child_process';

/** Programs that some tests need, and the line that installs each. */
const INSTALL = {
  'redis-server': 'apt-get install redis-server',
  'prometheus-alertmanager': 'apt-get install prometheus-alertmanager',
  promtool: 'apt-get install prometheus',
} as const;

/**
 * `describe`, if a program is on PATH; else the tests are skipped under a name that says what they need, which the
 * report at the end of a run looks for.
 */
export function describeWith(program: keyof typeof INSTALL, name: string, tests: () => void): void {
  if (spawnSync(program, ['--version']).error === undefined) describe(name, tests);
  else describe.skip(`${name} (needs ${program}: ${INSTALL[program]})`, tests);
}
