import { decodeEvent } from '@auditing/audit-event/decoded-event';
import { Source } from '@auditing/proto/event';
import { Severity } from '@auditing/proto/rule';
import { readFileSync } from 'node:fs';
import { build, rule } from './testing/rule-sets';

const page = readFileSync(`${__dirname}/../../docs/rule-language.md`, 'utf8');

/** The part of the page from one text to another. */
function between(start: string, end: string): string {
  return page.slice(page.indexOf(start), page.indexOf(end));
}

/** The conditions in the last column of a table. */
function examplesIn(table: string): string[] {
  return [...table.matchAll(/^\|.*\| `([^`]+)` +\|$/gm)].map(([, text = '']) => text);
}

const operators = examplesIn(between('## Operators', '## And, or, not'));
const warnings = examplesIn(between('Warned of, but loaded', 'And of the resources'));
const blocks = [...page.matchAll(/```condition\n([^`]*)```/g)].flatMap(([, text = '']) =>
  text.trim().split('\n'),
);
const [, json = ''] = /```json\n([^`]*)```/.exec(page) ?? [];
const event = decodeEvent(Buffer.from(json), Source.UNSPECIFIED);

it('has an example of every operator and of every warning', () => {
  expect(operators.length).toBe(9);
  expect(blocks.length).toBeGreaterThan(14);
  expect(warnings.length).toBe(8);
});

it.each([...operators, ...blocks])('documents a condition that holds: %s', (text) => {
  const set = build([rule('example', text)]);
  expect(set.diagnostics.filter(({ message }) => !message.includes('bind equally'))).toEqual([]);
  expect(set.evaluate(event)?.findings).toHaveLength(1);
});

it.each(warnings)('documents a condition that is warned of: %s', (text) => {
  const { diagnostics, ruleNames } = build([rule('example', text)]);
  expect(diagnostics.length).toBeGreaterThan(0);
  expect(diagnostics.every(({ severity }) => severity === Severity.WARNING)).toBe(true);
  expect(ruleNames).toHaveLength(1);
});

it('shows a mistake as it is reported', () => {
  const condition = "Verb exists and Level = 'Metadata'";
  const [found] = build([rule('example', condition)]).diagnostics;
  expect(page).toContain(
    `${found?.path ?? ''} ${found?.line ?? 0}:${found?.column ?? 0}: ${found?.message ?? ''}\n${found?.excerpt ?? ''}`,
  );
});
