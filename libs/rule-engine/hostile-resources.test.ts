import { decodeEvent } from '@auditing/audit-event/decoded-event';
import { Severity } from '@auditing/proto/rule';
import { Source } from '@auditing/proto/event';
import * as fc from 'fast-check';
import { parseCondition } from './parse-condition';
import { printCondition } from './print-condition';
import { locate } from './problem';
import { buildRuleSet, type Resource } from './rule-set';
import { event as anyEvent, value as anyValue } from './testing/arbitraries';

/** Pieces of conditions, so that texts are nearly right. */
const piece = fc.constantFrom(
  ...[
    'Verb',
    'a',
    'User.username',
    'x[*].y',
    'x[2:1]',
    'a."b/c"',
    '${m}',
    '${l}',
    '${a}',
    '${r}',
    '${',
    '}',
  ],
  ...[
    '=',
    '!=',
    '<',
    '>=',
    '=~',
    '!~',
    'in',
    'not',
    'like',
    'regex',
    'contains',
    'exists',
    'ipInCidr',
  ],
  ...[
    'and',
    'or',
    '&&',
    '!',
    '(',
    ')',
    ',',
    '"x"',
    '"("',
    '"10.0.0.0/8"',
    '5',
    '-1.5',
    'true',
    '"',
    "'",
    '\n',
    ' ',
    '\t',
    '😀',
  ],
);
const text = fc.oneof(
  fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(' ')),
  fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join('')),
  fc.string({ unit: 'binary', maxLength: 20 }),
);

const json = anyValue.map((found) => found as Resource);
const field = fc.oneof({ weight: 5, arbitrary: text }, json);
const entry = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record(
      {
        name: fc.constantFrom<Resource>('m', 'l', 'a', 'r', '', 5, '__proto__'),
        type: fc.constantFrom<Resource>('rule', 'macro', 'list', 'alias', 'Rule', null),
        enable: fc.constantFrom<Resource>(true, 'true', null, {}),
        priority: fc.constantFrom<Resource>('WARNING', 'debug', 'x', 7),
        condition: field,
        macro: field,
        alias: field,
        list: fc.oneof(fc.array(field, { maxLength: 3 }) as fc.Arbitrary<Resource>, json),
        output: field,
      },
      { requiredKeys: ['name', 'type'] },
    ),
  },
  json,
);
const resource = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      metadata: fc.oneof(
        {
          weight: 5,
          arbitrary: fc.record({
            name: fc.constantFrom('one', 'two'),
            namespace: fc.constantFrom('', 'n'),
            labels: fc.constant({ type: 'alerting' }),
            annotations: fc.constantFrom(
              {},
              { 'auditing.kubesphere.io/macro-parentheses': 'false' },
            ),
          }),
        },
        json,
      ),
      spec: fc.record({ rules: fc.array(entry, { maxLength: 6 }) }),
    }),
  },
  json,
);

it('survives any resources and any event, and says where each problem is', () => {
  fc.assert(
    fc.property(fc.array(resource, { maxLength: 3 }), json, anyEvent, (rules, webhook, raw) => {
      const set = buildRuleSet({ rules, webhook });
      for (const { severity, resource: name, message } of set.diagnostics) {
        expect([Severity.ERROR, Severity.WARNING]).toContain(severity);
        expect([name, message]).not.toContain('');
      }
      const event = decodeEvent(Buffer.from(JSON.stringify(raw)), Source.UNSPECIFIED);
      for (const { rule, message } of set.evaluate(event)?.findings ?? []) {
        expect(set.ruleNames[rule]?.name).toBeDefined();
        expect(typeof message).toBe('string');
      }
      for (const { name, active } of set.rules()) {
        const explanation = set.explain(name, event);
        if (active) expect(explanation).toBeDefined();
      }
      expect(new Set(set.rules().map(({ name }) => name)).size).toBe(set.rules().length);
    }),
  );
});

it('either refuses a text, saying where, or prints it so that it means the same', () => {
  fc.assert(
    fc.property(text, (found) => {
      const { condition, problems } = parseCondition(found);
      for (const problem of problems) {
        const { line, column, excerpt } = locate(found, problem);
        expect(line).toBeGreaterThan(0);
        expect(column).toBeGreaterThan(0);
        expect(excerpt).toMatch(/\^$/);
      }
      if (condition === undefined) {
        expect(problems).toHaveLength(1);
        return;
      }
      const printed = printCondition(condition);
      const again = parseCondition(printed).condition;
      expect(again && printCondition(again)).toBe(printed);
    }),
  );
});
