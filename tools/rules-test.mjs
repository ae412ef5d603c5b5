// Runs rule tests: `npm run rules:test [-- FILES]`. FILES are YAML files, or folders of them, with resources of kind Rule,
// Webhook and RuleTest in any mix; `config` where none is named. Prints each event that came out otherwise than it must
// and all that is wrong with the files, then `N passed, N failed`; fails if anything did.
import { build } from 'esbuild';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const FILE_NAME = /\.(ya?ml|json)$/i;
const ERROR = 1;

const named = process.argv.slice(2);
const files = (named.length === 0 ? ['config'] : named).flatMap((name) =>
  statSync(name).isDirectory()
    ? readdirSync(name, { recursive: true })
        .filter((file) => FILE_NAME.test(file))
        .map((file) => join(name, file))
    : [name],
);

const root = fileURLToPath(new URL('..', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'rules-test-'));
let outcome;
try {
  const outfile = join(scratch, 'test-rules.cjs');
  await build({
    absWorkingDir: root,
    entryPoints: ['apps/rule/test-rules.ts'],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    external: ['@mongodb-js/zstd'],
    logLevel: 'warning',
  });
  const { testRules } = createRequire(import.meta.url)(outfile);
  const tests = files.map((file) => readFileSync(file, 'utf8')).join('\n---\n');
  outcome = testRules({ tests, rules: '' });
} finally {
  rmSync(scratch, { recursive: true });
}

const { results, passedCount, failedCount, diagnostics } = outcome;
for (const { test, name, passed, message } of results)
  if (!passed) console.log(`${test} (${name}): ${message}`);
for (const { severity, resource, path, line, column, message, excerpt } of diagnostics)
  console.log(
    `${severity === ERROR ? 'error' : 'warning'} ${resource} ${path} ${line}:${column} ${message}\n${excerpt}`,
  );
console.log(`${passedCount} passed, ${failedCount} failed`);
const errorCount = diagnostics.filter(({ severity }) => severity === ERROR).length;
process.exitCode = failedCount + errorCount > 0 || passedCount === 0 ? 1 : 0;
