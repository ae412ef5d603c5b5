import { join } from 'node:path';

import { build } from 'esbuild';

/**
 * Bundles the archive as a program of its own for tests that end its process or watch what it takes; gives the path of the
 * bundle, which is where the native zstd is found, and where no build removes it meanwhile.
 *
 * @param name of the file: another one for each test file, for they run at once.
 */
export async function bundleArchive(name: string): Promise<string> {
  const outfile = join(__dirname, `../../../node_modules/.cache/archive-${name}-test.mjs`);
  await build({
    entryPoints: [join(__dirname, '../main.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    external: ['@mongodb-js/zstd', '@duckdb/node-api'],
    banner: { js: "import{createRequire as r}from'node:module';const require=r(import.meta.url);" },
  });
  return outfile;
}
