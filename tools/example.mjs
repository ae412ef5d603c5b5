// Runs one of examples/: `npm run example -- NAME [arguments]`.
import { mkdirSync, readdirSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const folder = fileURLToPath(new URL('../examples/', import.meta.url));
const names = readdirSync(folder)
  .filter((name) => /^[a-z]+\.ts$/.test(name))
  .map((name) => name.replace('.ts', ''));
const [name, ...args] = process.argv.slice(2);
if (!names.includes(name)) {
  console.error(`npm run example -- ${names.join('|')} [arguments]`);
  process.exit(2);
}

mkdirSync(`${folder}dist`, { recursive: true });
const outfile = `${folder}dist/${name}.cjs`;
await build({
  entryPoints: [`${folder}${name}.ts`],
  outfile,
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  logLevel: 'warning',
});
const { main } = (await import(pathToFileURL(outfile).href)).default;
try {
  await main(args, console.log);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
