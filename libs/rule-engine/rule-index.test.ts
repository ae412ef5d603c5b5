import { buildColumns, ColumnEvent, ColumnTable } from '@auditing/audit-event/columns';
import { decodeEvent, type DecodedEvent } from '@auditing/audit-event/decoded-event';
import type { EventFields } from '@auditing/audit-event/event-fields';
import { Source } from '@auditing/proto/event';
import type { DocumentNeed } from '@auditing/proto/rule';
import * as fc from 'fast-check';
import type { Condition } from './condition';
import { explainCondition } from './explain';
import { FieldReader } from './field-source';
import { TRUE } from './outcome';
import { Planner, type Plan } from './plan';
import { demandedResources, ProjectionBuilder } from './projection';
import { RuleIndex, type IndexedRule } from './rule-index';
import { condition as anyCondition, event as anyEvent } from './testing/arbitraries';

/** The rules that match, by the index. */
class Engine {
  readonly mismatches: number[] = [];
  private readonly index: RuleIndex;

  constructor(conditions: readonly Condition[]) {
    const reader = new FieldReader();
    const planner = new Planner(reader);
    const rules = conditions.map((condition) => ({
      plan: planner.plan(condition) as Plan,
      resources: demandedResources(condition),
    }));
    this.index = new RuleIndex(rules, planner, reader);
  }

  matches(event: EventFields): number[] {
    const found: number[] = [];
    this.index.evaluate(event, {
      matched: (rule) => found.push(rule),
      mismatched: (rule, count) => (this.mismatches[rule] = (this.mismatches[rule] ?? 0) + count),
    });
    return found;
  }
}

/** The rules that match, each asked by itself and in full. */
function plainMatches(conditions: readonly Condition[], event: EventFields): number[] {
  return conditions.flatMap((condition, rule) =>
    explainCondition(condition, event).holds ? [rule] : [],
  );
}

function decode(event: unknown): DecodedEvent {
  return decodeEvent(Buffer.from(JSON.stringify(event)), Source.KUBE_AI_HUB);
}

const conditions = fc.array(anyCondition, { minLength: 1, maxLength: 6 });
const events = fc.array(anyEvent, { minLength: 1, maxLength: 6 });

it('agrees with asking every rule in full, on any event, again and again', () => {
  fc.assert(
    fc.property(conditions, events, (rules, raw) => {
      const engine = new Engine(rules);
      const decoded = raw.map(decode);
      for (const event of [...decoded, ...decoded]) {
        expect(engine.matches(event)).toEqual(plainMatches(rules, event));
      }
    }),
  );
});

it('finds in columns, with documents where the projection asks for them, what it finds in whole events', () => {
  fc.assert(
    fc.property(conditions, events, (rules, raw) => {
      const builder = new ProjectionBuilder();
      for (const rule of rules) builder.add(rule, []);
      const { fields, documents } = builder.build();
      const decoded = raw.map(decode);
      const table = new ColumnTable(buildColumns(decoded, fields));
      const engine = new Engine(rules);
      const inColumns = new Engine(rules);
      for (const [row, event] of decoded.entries()) {
        const document = documents.some((need) => isNeeded(need, event)) ? event.bytes : undefined;
        // An event that lacks a field the rules read throws here: not sent is not missing.
        const found = inColumns.matches(new ColumnEvent(table, row, document));
        if (isOrdinary(event)) expect(found).toEqual(engine.matches(event));
      }
    }),
  );
});

/** Whether a need names an event, as the gateway reads it: by the text of the columns. */
function isNeeded(need: DocumentNeed, event: DecodedEvent): boolean {
  const names = (texts: readonly string[], value: unknown): boolean =>
    texts.length === 0 ||
    texts.includes(typeof value === 'string' ? value : JSON.stringify(value ?? ''));
  return (
    names(need.verbs, event.get('Verb')) &&
    names(need.resources, event.get('ObjectRef.Resource')) &&
    names(need.subresources, event.get('ObjectRef.Subresource') ?? '')
  );
}

/** Columns hold texts and lists; what else an event has in their place is read as its JSON text. */
function isOrdinary(event: DecodedEvent): boolean {
  const texts = ['Verb', 'Level', 'AuditID', 'RequestURI', 'User.username', 'Workspace'] as const;
  const objectTexts = ['ObjectRef.Resource', 'ObjectRef.Subresource', 'ObjectRef.Name'] as const;
  const lists = ['SourceIPs', 'User.groups'] as const;
  const isText = (value: unknown): boolean => typeof (value ?? '') === 'string';
  const code = event.get('ResponseStatus.code') ?? 0;
  return (
    [...texts, ...objectTexts].every((field) => isText(event.get(field))) &&
    lists.every((field) => event.get(field) === undefined || Array.isArray(event.get(field))) &&
    typeof code === 'number'
  );
}

it('counts a comparison that meets the wrong type for each rule that has it, once an event', () => {
  const bad: Condition = {
    kind: 'compare',
    path: {
      kind: 'path',
      isReference: false,
      segments: [{ key: 'RequestURI', indexes: [] }],
      from: 0,
      to: 0,
    },
    operator: '>',
    value: { kind: 'number', text: '5', from: 0, to: 0 },
    from: 0,
    to: 0,
  };
  const engine = new Engine([bad, { kind: 'not', operand: bad, from: 0, to: 0 }]);
  const event = decode({ Verb: 'get', RequestURI: '/api' });
  expect(engine.matches(event)).toEqual([1]);
  expect(engine.matches(event)).toEqual([1]);
  expect(engine.mismatches).toEqual([2, 2]);
});

it('asks the rules that name a resource of no event of another one', () => {
  const reader = new FieldReader();
  const planner = new Planner(reader);
  const asked: string[] = [];
  const ruleOf = (name: string, resources: readonly string[] | undefined): IndexedRule => {
    const ask = (): typeof TRUE => {
      asked.push(name);
      return TRUE;
    };
    const plan: Plan = { kind: 'test', id: name.length, cost: 1, isIndexed: true, ask };
    return { plan, resources: resources && new Set(resources) };
  };
  const index = new RuleIndex(
    [
      ruleOf('any', undefined),
      ruleOf('both', ['pods', 'secrets']),
      ruleOf('never', []),
      ruleOf('secrets', ['secrets']),
    ],
    planner,
    reader,
  );
  const namesFor = (event: unknown): string[] => {
    asked.length = 0;
    index.evaluate(decode(event), { matched: () => undefined, mismatched: () => undefined });
    return [...asked];
  };
  expect(namesFor({ Verb: 'get', ObjectRef: { Resource: 'secrets' } })).toEqual([
    'any',
    'both',
    'secrets',
  ]);
  expect(namesFor({ Verb: 'get', ObjectRef: { Resource: 'pods' } })).toEqual(['any', 'both']);
  expect(namesFor({ Verb: 'get', ObjectRef: { Resource: 'made-up' } })).toEqual(['any']);
  expect(namesFor({ Verb: 'get' })).toEqual(['any']);
  // What is no text may be equal to one, as a text.
  expect(namesFor({ ObjectRef: { Resource: 5 } })).toEqual(['any', 'both', 'never', 'secrets']);
  // It was settled before.
  expect(namesFor({ Verb: 'get', ObjectRef: { Resource: 'pods' } })).toEqual([]);
});

it('stays fast when every event has a resource of its own', () => {
  const rules = Array.from({ length: 50 }, (): Condition => ({
    kind: 'exists',
    path: {
      kind: 'path',
      isReference: false,
      segments: [{ key: 'Verb', indexes: [] }],
      from: 0,
      to: 0,
    },
    negated: true,
    from: 0,
    to: 0,
  }));
  const engine = new Engine(rules);
  for (let i = 0; i < 20_000; i += 1) {
    engine.matches(decode({ Verb: 'get', ObjectRef: { Resource: `r${i}` } }));
  }
  expect(
    engine.matches(decode({ Verb: 'get', ObjectRef: { Resource: 'x'.repeat(10_000) } })),
  ).toEqual([]);
});
