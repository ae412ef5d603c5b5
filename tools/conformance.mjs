// Runs conditions against events: `npm run conformance -- FILE`. FILE is JSON of the shape
// {events, cases: [{condition, event, expect}]}, where expect is true, false or "reject". Prints each case that
// comes out differently, then `N passed, N failed`; fails if any did.
import { build } from 'esbuild';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const [file] = process.argv.slice(2);
if (file === undefined) {
  console.error(
    'expected a file: npm run conformance -- libs/rule-engine/testdata/conditions.json',
  );
  process.exit(2);
}

const root = fileURLToPath(new URL('..', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'conformance-'));
let differences;
let cases;
try {
  const outfile = join(scratch, 'conformance.cjs');
  await build({
    absWorkingDir: root,
    entryPoints: ['libs/rule-engine/conformance.ts'],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    logLevel: 'warning',
  });
  const { runConformance } = createRequire(import.meta.url)(outfile);
  const suite = JSON.parse(readFileSync(file, 'utf8'));
  ({ cases } = suite);
  differences = runConformance(suite);
} finally {
  rmSync(scratch, { recursive: true });
}

for (const { conformanceCase, found, reason } of differences) {
  const { condition, event, expect } = conformanceCase;
  console.log(
    `${condition}\n  event ${event}: expected ${expect}, found ${found}${reason && `: ${reason}`}`,
  );
}
console.log(`${cases.length - differences.length} passed, ${differences.length} failed`);
process.exitCode = differences.length > 0 ? 1 : 0;
