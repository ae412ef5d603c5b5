import { readFileSync } from 'node:fs';
import { build, problemsOf, rule } from './testing/rule-sets';

const page = readFileSync(`${__dirname}/../../docs/rule-language.md`, 'utf8');

const blocks = [...page.matchAll(/```condition\n([^`]*)```/g)].flatMap(([, text = '']) =>
  text.trim().split('\n'),
);
const rows = [...page.matchAll(/^\| [^|]+\| `([^`]+)` +\|$/gm)].map(([, text = '']) => text);

it('has an example of every operator', () => {
  expect(rows.length).toBe(9);
  expect(blocks.length).toBeGreaterThan(9);
});

it.each([...rows, ...blocks])('documents a condition that is taken without a word: %s', (text) => {
  expect(problemsOf(build([rule('example', text)]))).toEqual([]);
});

it('shows a mistake as it is reported', () => {
  const condition = "Verb exists and Level = 'Metadata'";
  const [found] = build([rule('example', condition)]).diagnostics;
  expect(page).toContain(
    `${found?.path ?? ''} ${found?.line ?? 0}:${found?.column ?? 0}: ${found?.message ?? ''}\n${found?.excerpt ?? ''}`,
  );
});
