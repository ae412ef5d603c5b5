import { createHash } from 'node:crypto';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { build } from 'esbuild';

/** Where the native zstd is found. */
const FOLDER = join(__dirname, '../../../node_modules/.cache/archive-search-thread');

/** The program of a search thread, bundled as tools/bundle.mjs does. The same code has the same file: tests may share it. */
export async function searchThreadScript(): Promise<URL> {
  const { outputFiles } = await build({
    entryPoints: [join(__dirname, '../embedded/search-thread.ts')],
    write: false,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    external: ['@mongodb-js/zstd'],
    banner: { js: "import{createRequire as r}from'node:module';const require=r(import.meta.url);" },
  });
  const code = outputFiles[0]?.contents ?? new Uint8Array();
  const path = join(FOLDER, `${createHash('sha256').update(code).digest('hex')}.mjs`);
  await mkdir(FOLDER, { recursive: true });
  await writeFile(`${path}.${process.pid}`, code);
  await rename(`${path}.${process.pid}`, path);
  return pathToFileURL(path);
}
