// Measures: `npm run bench -- all|standalone|services|sustained|replicas|archive|growth|edges|alert|rules [--quick] [--json FILE]`.
// Prints tables; FILE gets the figures by name. --quick measures less often: to see whether something broke, not to quote.
// `sustained` takes --seconds, --rate (events a second) and --gateways NUMBER, to load the services with so many
// gateways before them; `archive` takes --keep FOLDER, to ask what is stored there again,
// and --alone, to leave SQLite and DuckDB out; `growth` takes --events MILLIONS. With --profile FOLDER every process that
// is measured leaves a CPU profile there, for `npm run flame`; what a profile costs is in the figures then.
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { benchAlert } from './bench-alert.mjs';
import { benchArchive } from './bench-archive.mjs';
import { benchEdges } from './bench-edges.mjs';
import { Figures } from './bench-figures.mjs';
import { benchGrowth } from './bench-growth.mjs';
import { profileInto } from './bench-process.mjs';
import { benchReplicas } from './bench-replicas.mjs';
import { benchRules, ruleResourceOf } from './bench-rules.mjs';
import { benchSustained } from './bench-sustained.mjs';
import { benchSystem } from './bench-system.mjs';

const BENCHES = {
  standalone: (bench) => benchSystem(bench, ['standalone']),
  services: (bench) => benchSystem(bench, ['services']),
  sustained: benchSustained,
  replicas: benchReplicas,
  archive: benchArchive,
  growth: benchGrowth,
  edges: benchEdges,
  alert: benchAlert,
  rules: benchRules,
  async all(bench) {
    await timed(bench, 'system', () => benchSystem(bench, ['standalone', 'services']));
    await timed(bench, 'edges', () => benchEdges(bench));
    await timed(bench, 'rules', () => benchRules(bench));
    // SQLite and DuckDB take longer to load than the archive and all else together.
    await timed(bench, 'archive', () => benchArchive({ ...bench, alone: true }));
  },
};
const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** Where node_modules is found from: what is bundled leaves native libraries out. */
const SCRATCH = join(ROOT, `node_modules/.cache/bench-${process.pid}`);

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'string' },
    profile: { type: 'string' },
    alone: { type: 'boolean', default: false },
    events: { type: 'string' },
    keep: { type: 'string' },
    seconds: { type: 'string' },
    rate: { type: 'string' },
    gateways: { type: 'string' },
  },
});
const [name = ''] = positionals;
const bench = Object.hasOwn(BENCHES, name) ? BENCHES[name] : undefined;
if (bench === undefined) {
  console.error(`expected one of ${Object.keys(BENCHES).join(', ')}, got "${name}"`);
  process.exit(2);
}

if (values.profile !== undefined) profileInto(resolve(values.profile));
const figures = new Figures();
const machine = { node: process.version, cpu: cpus()[0]?.model ?? '', cpuCount: cpus().length };
const { quick } = values;
console.log(`node ${machine.node}, ${machine.cpuCount} x ${machine.cpu}${quick ? ', quick' : ''}`);
try {
  // What is measured is what is shipped: the bundles, from the cache where nothing changed.
  execFileSync('npx', ['nx', 'run-many', '-t', 'build', '--outputStyle=static'], {
    cwd: ROOT,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, NX_DAEMON: 'false', NX_TUI: 'false' },
  });
  await bench({
    root: ROOT,
    quick,
    keep: values.keep,
    alone: values.alone,
    seconds: numberOf('seconds'),
    rate: numberOf('rate'),
    gateways: numberOf('gateways'),
    events: numberOf('events'),
    figures,
    load,
    bundle,
    ruleResource: (count) => ruleResourceOf({ root: ROOT, load }, count),
    print: console.log,
  });
} finally {
  rmSync(SCRATCH, { recursive: true, force: true });
}
if (values.json) {
  const about = { bench: name, at: new Date().toISOString(), quick, machine };
  writeFileSync(values.json, `${JSON.stringify({ ...about, ...figures.values }, null, 2)}\n`);
}

/** Says how long a part took: what makes the whole long. */
async function timed({ print }, name, part) {
  const begun = performance.now();
  await part();
  print(`\n(${name}: ${((performance.now() - begun) / 1000).toFixed(0)} s)\n`);
}

/** An option that is a number above 0; undefined if it was not given. */
function numberOf(option) {
  const text = values[option];
  if (text === undefined) return undefined;
  const number = Number(text);
  if (number > 0) return number;
  console.error(`--${option}: expected a number above 0, got "${text}"`);
  process.exit(2);
}

/** Bundles modules of ours and loads them: `{ export: module }`. */
async function load(exports) {
  const contents = Object.entries(exports)
    .map(([one, from]) => `export { ${one} } from '${from}';`)
    .join('\n');
  const outfile = join(SCRATCH, `modules-${Object.keys(exports).length}.cjs`);
  await bundleTo(outfile, { stdin: { contents, resolveDir: ROOT }, format: 'cjs' });
  return createRequire(import.meta.url)(outfile);
}

/** Bundles a script with the modules of ours that it uses; gives its path, from the root. */
async function bundle(entry) {
  const outfile = join(SCRATCH, entry.replaceAll('/', '-').replace(/\.ts$/, '.mjs'));
  await bundleTo(outfile, {
    entryPoints: [join(ROOT, entry)],
    format: 'esm',
    banner: {
      js: "import{createRequire as __cr}from'node:module';const require=__cr(import.meta.url);",
    },
  });
  return outfile.slice(ROOT.length);
}

async function bundleTo(outfile, options) {
  mkdirSync(SCRATCH, { recursive: true });
  await build({
    ...options,
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node20',
    external: ['@mongodb-js/zstd'],
    logLevel: 'error',
  });
}
