// Checks what is depended on: every package is pinned by a hash, none names a download address, none may run a script
// at install, every licence is one we may ship, and none has a known hole (where the registry can be asked).
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Licences that may be shipped with Apache-2.0 code. MPL-2.0 and CC-BY-4.0 only in tools that are not shipped. */
const SHIPPABLE =
  /^(MIT|MIT-0|Apache-2\.0|ISC|0BSD|BSD-2-Clause|BSD-3-Clause|BlueOak-1\.0\.0|Unlicense|CC0-1\.0|Python-2\.0)$/;
const TOOLS_ONLY = /^(MPL-2\.0|CC-BY-4\.0)$/;

const problems = [];
const root = JSON.parse(readFileSync('package.json', 'utf8'));
const lock = JSON.parse(readFileSync('package-lock.json', 'utf8'));

for (const [path, entry] of Object.entries(lock.packages)) {
  if (entry.link || !path.includes('node_modules/')) continue;
  const name = path.split('node_modules/').pop();
  if (!entry.integrity && !entry.inBundle) problems.push(`${path}: not pinned by a hash`);
  if (entry.resolved) problems.push(`${path}: the lock file names where it was downloaded`);
  if (entry.hasInstallScript && root.allowScripts[name] !== false)
    problems.push(`${name}: has an install script; name it in allowScripts, as false`);
  const licence = licenceOf(path, entry);
  if (licence && !allowed(licence, entry.dev === true))
    problems.push(`${name}: licence ${licence} may not be shipped`);
}

const audit = spawnSync('npm', ['audit', '--omit=dev', '--audit-level=high', '--json'], {
  encoding: 'utf8',
});
try {
  const { metadata } = JSON.parse(audit.stdout);
  const { high = 0, critical = 0 } = metadata.vulnerabilities;
  if (high + critical > 0) problems.push(`npm audit: ${high} high and ${critical} critical holes`);
  else console.log('npm audit: no high or critical holes');
} catch {
  console.log('npm audit: the registry does not answer; known holes were not looked up');
}

for (const problem of problems) console.error(problem);
console.log(
  `dependencies: ${Object.keys(lock.packages).length} packages, ${problems.length} problems`,
);
process.exitCode = problems.length > 0 ? 1 : 0;

/** From the lock file, else from the package itself; undefined where it is not installed on this platform. */
function licenceOf(path, entry) {
  if (entry.license) return entry.license;
  try {
    const { license } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'));
    return typeof license === 'string' ? license : license?.type;
  } catch {
    return undefined;
  }
}

/** Reads SPDX expressions as far as they occur: names joined by OR or AND. */
function allowed(expression, dev) {
  const fits = (name) => SHIPPABLE.test(name) || (dev && TOOLS_ONLY.test(name));
  return expression
    .replace(/[()]/g, '')
    .split(' OR ')
    .some((choice) => choice.split(' AND ').every((name) => fits(name.trim())));
}
