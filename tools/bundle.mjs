// Bundles one app (the current directory) into dist/: main.js, and chunks of what is loaded only when it is wanted. It
// needs no node_modules but the packages named in EXTERNAL.
import { readFile, rm, writeFile } from 'node:fs/promises';
import { build } from 'esbuild';

/** Left out of the bundle: native libraries; the second is optional. */
const EXTERNAL = ['@mongodb-js/zstd', '@duckdb/node-api'];

/** Programs of threads, each bundled beside main.js of the apps that have its package in them. */
const THREADS = { '@auditing/archive': ['../archive/embedded/search-thread.ts'] };

const { name, dependencies } = JSON.parse(await readFile('package.json', 'utf8'));
const threads = Object.entries(THREADS).flatMap(([owner, files]) =>
  owner === name || owner in dependencies ? files : [],
);
await rm('dist', { recursive: true, force: true });
const result = await build({
  entryPoints: ['main.ts', ...threads],
  outdir: 'dist',
  entryNames: '[name]',
  chunkNames: '[name]-[hash]',
  splitting: true,
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  external: EXTERNAL,
  sourcemap: true,
  metafile: true,
  logLevel: 'warning',
  // CommonJS packages inside an ES module still call require() for Node's own modules.
  banner: {
    js: "import{createRequire as __cr}from'node:module';import{fileURLToPath as __fu}from'node:url';import{dirname as __dn}from'node:path';const require=__cr(import.meta.url),__filename=__fu(import.meta.url),__dirname=__dn(__filename);",
  },
});
// What went in, and what was left out: for the list of an image's contents (tools/image.mjs).
const inputs = Object.keys(result.metafile.inputs).flatMap(
  (path) => /(node_modules\/.*node_modules\/|node_modules\/)(@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? [],
);
const external = Object.values(result.metafile.outputs).flatMap(({ imports }) =>
  imports.filter((one) => one.external && !one.path.startsWith('node:')).map(({ path }) => path),
);
await writeFile(
  'dist/packages.json',
  JSON.stringify({ inputs: [...new Set(inputs)], external: [...new Set(external)] }),
);
const { bytes } = Object.values(result.metafile.outputs).find(
  (output) => output.entryPoint === 'main.ts',
);
console.log(`${name}: dist/main.js ${(bytes / 1024).toFixed(0)} KiB`);
