import { existsSync, readFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { dirname, join } from 'node:path';

const ROOT = join(__dirname, '..');
const documents = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '*.md'], {
  cwd: ROOT,
  encoding: 'utf8',
})
  .trim()
  .split('\n');
const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>;
};

const textOf = (document: string): string => readFileSync(join(ROOT, document), 'utf8');

test.each(documents)('%s points only to files that are there', (document) => {
  const links = [...textOf(document).matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, to]) => to);
  const missing = links.filter((to) => !existsSync(join(ROOT, dirname(document), to ?? '')));
  expect(missing).toEqual([]);
});

test.each(documents)('%s names only commands that there are', (document) => {
  const names = [...textOf(document).matchAll(/npm run ([\w:-]+)/g)].map(([, name]) => name ?? '');
  expect(names.filter((name) => !(name in scripts))).toEqual([]);
});

test('ARCHITECTURE.md names only folders and files that are there', () => {
  const paths = [
    ...textOf('ARCHITECTURE.md').matchAll(
      /`((?:apps|libs|proto|tests|docs|config|k8s|examples)\/[^`]*)`/g,
    ),
  ];
  const missing = paths
    .map(([, path]) => path ?? '')
    .filter((path) => !existsSync(join(ROOT, path)));
  expect(missing).toEqual([]);
});
