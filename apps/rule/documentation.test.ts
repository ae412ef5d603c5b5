import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeEvent } from '@auditing/audit-event/decoded-event';
import { Source } from '@auditing/proto/event';
import { resourceDocuments } from './resource-documents';
import { testRules } from './test-rules';
import { trialOf } from './trial';

const page = readFileSync(join(__dirname, '../../docs/rule-language.md'), 'utf8');
const webhook = { spec: { auditLevel: 'RequestResponse' } };

/** The blocks of the page in a language, in order. */
function blocks(language: string): string[] {
  return page
    .split('```')
    .filter((block) => block.startsWith(`${language}\n`))
    .map((block) => block.slice(language.length + 1));
}

const resources = blocks('yaml').filter((block) => block.startsWith('apiVersion'));
const [rules = '', named = '', tests = ''] = resources;

test('the page shows a Rule, one with names, and a RuleTest', () => {
  const kinds = resources.map((text) => /^kind: (\w+)/m.exec(text)?.[1]);
  expect(kinds).toEqual(['Rule', 'Rule', 'RuleTest']);
});

test('the example of a test passes on the example of a rule', () => {
  const { passedCount, failedCount, diagnostics } = testRules(
    { tests, rules },
    { rules: [], webhook },
  );
  expect(diagnostics.map(({ message }) => message)).toEqual([]);
  expect([passedCount, failedCount]).toEqual([2, 0]);
});

test('names mean what the page says, and the output reads as it says', () => {
  const { ruleSet, diagnostics } = trialOf([resourceDocuments(named, 'named')], webhook);
  expect(diagnostics).toEqual([]);
  const event = decodeEvent(Buffer.from(blocks('json')[0] ?? ''), Source.UNSPECIFIED);
  const findings = ruleSet.evaluate(event)?.findings ?? [];
  expect(findings.map(({ message }) => message)).toEqual([blocks('text')[0]?.trim()]);
});

test('the annotation of the page is known', () => {
  const [annotation = ''] = blocks('yaml').filter((block) => block.startsWith('metadata'));
  const key = /auditing\.kubesphere\.io\/[\w-]+/.exec(annotation)?.[0] ?? '';
  const text = named.replace('{ name: named,', `{ name: named, annotations: { ${key}: 'odd' },`);
  const { diagnostics } = trialOf([resourceDocuments(text, 'named')], webhook);
  expect(diagnostics).toMatchObject([{ path: `metadata.annotations.${key}` }]);
});
