// Measures: `npm run bench -- rules [--quick] [--json FILE]`. Prints tables; FILE gets the same figures as JSON.
// --quick measures less often: to see whether something broke, not to quote.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { benchRules } from './bench-rules.mjs';

const BENCHES = { rules: benchRules };
const ROOT = fileURLToPath(new URL('..', import.meta.url));

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean', default: false }, json: { type: 'string' } },
});
const [name = ''] = positionals;
const bench = Object.hasOwn(BENCHES, name) ? BENCHES[name] : undefined;
if (bench === undefined) {
  console.error(`expected one of ${Object.keys(BENCHES).join(', ')}, got "${name}"`);
  process.exit(2);
}

const figures = await bench({ root: ROOT, quick: values.quick, load, print: console.log });
const machine = { node: process.version, cpu: cpus()[0]?.model ?? '', cpuCount: cpus().length };
console.log(`\nnode ${machine.node}, ${machine.cpuCount} x ${machine.cpu}`);
if (values.json) {
  const all = { bench: name, at: new Date().toISOString(), quick: values.quick, machine, figures };
  writeFileSync(values.json, `${JSON.stringify(all, null, 2)}\n`);
}

/** Bundles modules of ours and loads them: `{ export: module }`. */
async function load(exports) {
  const scratch = mkdtempSync(join(tmpdir(), 'bench-'));
  try {
    const outfile = join(scratch, 'bundle.cjs');
    await build({
      stdin: {
        contents: Object.entries(exports)
          .map(([one, from]) => `export { ${one} } from '${from}';`)
          .join('\n'),
        resolveDir: ROOT,
      },
      outfile,
      bundle: true,
      platform: 'node',
      target: 'node20',
      format: 'cjs',
      external: ['@mongodb-js/zstd'],
      logLevel: 'warning',
    });
    return createRequire(import.meta.url)(outfile);
  } finally {
    rmSync(scratch, { recursive: true });
  }
}
