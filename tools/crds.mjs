// Writes the CustomResourceDefinitions (k8s/crds) and the list of their fields (libs/rule-engine/gen) from their one
// source, libs/kubernetes/crds: `npm run crds`. Committed; CI runs it again and fails if anything differs.
import { build } from 'esbuild';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';

const root = fileURLToPath(new URL('..', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'crds-'));
let files;
try {
  const outfile = join(scratch, 'definitions.cjs');
  await build({
    absWorkingDir: root,
    entryPoints: ['libs/kubernetes/crds/definitions.ts'],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    logLevel: 'warning',
  });
  const { definitionFiles, knownFieldsFile } = createRequire(import.meta.url)(outfile);
  files = Object.entries(definitionFiles()).map(([name, text]) => [`k8s/crds/${name}`, text]);
  files.push(['libs/rule-engine/gen/resource-fields.ts', knownFieldsFile()]);
} finally {
  rmSync(scratch, { recursive: true });
}
for (const [name, text] of files) {
  const path = join(root, name);
  const options = await resolveConfig(path);
  writeFileSync(path, await format(text, { ...options, filepath: path }));
  console.log(name);
}
