// Puts together what an image holds: `node tools/image.mjs APP FOLDER`, after `npm run build`. The bundle, the packages that
// are left out of it, and a list of everything in it (CycloneDX).
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Apps that read the shipped resources from a folder, unless told otherwise. */
const WITH_CONFIG = ['rule', 'standalone'];

const root = fileURLToPath(new URL('..', import.meta.url));
const [app, folder] = process.argv.slice(2);
if (!app || !folder) {
  console.error('node tools/image.mjs APP FOLDER');
  process.exit(2);
}
const dist = join(root, 'apps', app, 'dist');
const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
const { inputs, external } = JSON.parse(readFileSync(join(dist, 'packages.json'), 'utf8'));

mkdirSync(folder, { recursive: true });
for (const file of readdirSync(dist)) {
  if (file.endsWith('.js')) cpSync(join(dist, file), join(folder, file));
}
// Without it node would have to guess that the bundle is an ES module.
writeFileSync(join(folder, 'package.json'), '{ "type": "module", "private": true }\n');
if (WITH_CONFIG.includes(app))
  cpSync(join(root, 'config'), join(folder, 'config'), { recursive: true });

const copied = closure(external.map(packageOf).filter((name) => !builtinModules.includes(name)));
for (const path of copied)
  cpSync(join(root, path), join(folder, path), { recursive: true, dereference: true });
const contents = [...new Set([...inputs, ...copied])].sort();
writeFileSync(join(folder, 'sbom.cdx.json'), `${JSON.stringify(sbom(contents), null, 2)}\n`);
console.log(`${app}: ${contents.length} packages, ${copied.length} of them outside of the bundle`);

/** `@scope/name` of `@scope/name/part.js`. */
function packageOf(path) {
  return path
    .split('/')
    .slice(0, path.startsWith('@') ? 2 : 1)
    .join('/');
}

/** Paths of packages and of all that they need, as far as it is installed here: native parts are of one platform. */
function closure(names) {
  const found = new Set();
  const visit = (name, from) => {
    const path = resolve(name, from);
    if (path === undefined || found.has(path)) return;
    found.add(path);
    const { dependencies, optionalDependencies } = packages[path];
    for (const next of Object.keys({ ...dependencies, ...optionalDependencies })) visit(next, path);
  };
  for (const name of names) visit(name, '');
  return [...found].sort();
}

/** Where node would find a package: the nearest node_modules above. */
function resolve(name, from) {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
    const path = at === '' ? `node_modules/${name}` : `${at}/node_modules/${name}`;
    if (packages[path] && existsSync(join(root, path))) return path;
    if (at === '') return undefined;
  }
}

/** A CycloneDX document; the same contents give the same document. */
function sbom(paths) {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.5.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    version: 1,
    metadata: {
      component: {
        'bom-ref': `kube-auditing-${app}`,
        type: 'application',
        name: `kube-auditing-${app}`,
        version,
        licenses: [{ expression: 'Apache-2.0' }],
      },
    },
    components: paths.map(component),
  };
}

function component(path) {
  const name = path.split('node_modules/').pop();
  const { version, license, integrity = '' } = packages[path];
  const purl = `pkg:npm/${name.replace('@', '%40')}@${version}`;
  const [, sha512] = /^sha512-(\S+)/.exec(integrity) ?? [];
  return {
    'bom-ref': `${purl}#${path}`,
    type: 'library',
    name,
    version,
    purl,
    ...(license && { licenses: [{ expression: license }] }),
    ...(sha512 && {
      hashes: [{ alg: 'SHA-512', content: Buffer.from(sha512, 'base64').toString('hex') }],
    }),
  };
}
