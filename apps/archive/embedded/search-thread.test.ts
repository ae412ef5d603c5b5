import { join } from 'node:path';

import { build } from 'esbuild';

test('what a thread loads at its start has no gRPC in it: each would take some 6 MiB more', async () => {
  const { metafile } = await build({
    entryPoints: [join(__dirname, 'search-thread.ts'), join(__dirname, 'embedded-engine.ts')],
    write: false,
    metafile: true,
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    outdir: 'out',
    external: ['@mongodb-js/zstd'],
  });
  const loaded = new Set<string>();
  const load = (path: string): void => {
    const output = metafile.outputs[path];
    if (output === undefined || loaded.has(path)) return;
    loaded.add(path);
    for (const { kind, path: next } of output.imports) if (kind === 'import-statement') load(next);
  };
  load('out/search-thread.js');
  const modules = [...loaded].flatMap((path) => Object.keys(metafile.outputs[path]?.inputs ?? {}));
  expect(modules.join('\n')).toContain('text-needle.ts');
  expect(modules.filter((path) => path.includes('grpc'))).toEqual([]);
});
