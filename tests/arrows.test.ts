import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(__dirname, '..');

/** What each library may use. Apps may use every library and no app; standalone puts the apps together. */
const MAY_USE: Readonly<Record<string, readonly string[]>> = {
  proto: [],
  journal: [],
  kubernetes: [],
  service: ['proto'],
  access: ['proto', 'audit-event', 'kubernetes', 'service'],
  'audit-event': ['proto'],
  'rule-engine': ['proto', 'audit-event'],
};

const packages = ['libs', 'apps'].flatMap((folder) =>
  readdirSync(join(ROOT, folder)).map((name) => ({ folder, name })),
);

test.each(packages)('$folder/$name depends only on what it may', ({ folder, name }) => {
  const manifest = JSON.parse(readFileSync(join(ROOT, folder, name, 'package.json'), 'utf8')) as {
    dependencies?: Record<string, string>;
  };
  const ours = Object.keys(manifest.dependencies ?? {})
    .filter((dependency) => dependency.startsWith('@auditing/'))
    .map((dependency) => dependency.replace('@auditing/', ''));
  const libs = Object.keys(MAY_USE);
  const allowed =
    folder === 'libs'
      ? (MAY_USE[name] ?? [])
      : name === 'standalone'
        ? packages.map((other) => other.name)
        : libs;
  expect(ours.filter((dependency) => !allowed.includes(dependency))).toEqual([]);
});
