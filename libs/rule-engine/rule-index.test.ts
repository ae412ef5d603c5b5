import { buildColumns, ColumnEvent, ColumnTable } from '@auditing/audit-event/columns';
import { decodeEvent, type DecodedEvent } from '@auditing/audit-event/decoded-event';
import type { EventFields } from '@auditing/audit-event/event-fields';
import { Source } from '@auditing/proto/event';
import type { DocumentNeed } from '@auditing/proto/rule';
import * as fc from 'fast-check';
import type { Condition } from './condition';
import { explainCondition } from './explain';
import { FieldReader } from './field-source';
import { FALSE, TRUE } from './outcome';
import { parseCondition } from './parse-condition';
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

function parsed(text: string): Condition {
  const { condition } = parseCondition(text);
  if (condition === undefined) throw new Error(`expected a condition: ${text}`);
  return condition;
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

it('agrees where many rules want another text of the same field, whatever the field holds', () => {
  const text = fc.constantFrom('a', 'b', '7', '[a b]', 'true', '<nil>', 'map[x:1]', '');
  const wanted = fc.oneof(
    text.map((value) => parsed(`User.username = "${value}"`)),
    text.map((value) => parsed(`ObjectRef.Name = "${value}"`)),
    fc.tuple(text, text).map(([a, b]) => parsed(`User.username = "${a}" and UserAgent = "${b}"`)),
    text.map((value) => parsed(`User.username = "${value}" and RequestObject.x > 5`)),
    text.map((value) => parsed(`User.username != "${value}" or UserAgent = "${value}"`)),
  );
  const value = fc.constantFrom(
    undefined,
    null,
    'a',
    'b',
    7,
    true,
    ['a', 'b'],
    { x: 1 },
    '',
    'else',
  );
  const made = fc.record({ user: value, name: value, agent: value, x: value });
  fc.assert(
    fc.property(
      fc.array(wanted, { minLength: 3, maxLength: 40 }),
      fc.array(made, { minLength: 1, maxLength: 6 }),
      (rules, raw) => {
        const engine = new Engine(rules);
        for (const { user, name, agent, x } of raw) {
          const event = decode({
            Verb: 'get',
            User: { username: user },
            ObjectRef: { Name: name },
            UserAgent: agent,
            RequestObject: { x },
          });
          expect(engine.matches(event)).toEqual(plainMatches(rules, event));
        }
      },
    ),
  );
});

it('counts what has the wrong type for the rules alone that come to ask for it', () => {
  const users = ['a', 'b', 'c', 'd'];
  const engine = new Engine(
    users.map((user) => parsed(`User.username = "${user}" and RequestObject.x > 5`)),
  );
  for (const user of ['b', 'b', 'd', 'x'])
    engine.matches(decode({ User: { username: user }, RequestObject: { x: 'no number' } }));
  expect(users.map((_user, rule) => engine.mismatches[rule] ?? 0)).toEqual([0, 2, 0, 1]);
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
  const bad = parsed('RequestURI > 5');
  const engine = new Engine([bad, { kind: 'not', operand: bad, from: 0, to: 0 }]);
  const event = decode({ Verb: 'get', RequestURI: '/api' });
  expect(engine.matches(event)).toEqual([1]);
  expect(engine.matches(event)).toEqual([1]);
  expect(engine.mismatches).toEqual([2, 2]);
});

describe('settling', () => {
  /** Who was asked, of rules that need no more than verb, resource and subresource to be settled. */
  const asked: string[] = [];
  const indexOf = (rules: Record<string, readonly string[] | undefined>): RuleIndex => {
    const reader = new FieldReader();
    const planner = new Planner(reader);
    const indexed = Object.entries(rules).map(([name, resources], id): IndexedRule => {
      const ask = (): typeof TRUE => {
        asked.push(name);
        return TRUE;
      };
      const plan: Plan = { kind: 'test', id, cost: 1, isIndexed: true, equals: undefined, ask };
      return { plan, resources: resources && new Set(resources) };
    });
    return new RuleIndex(indexed, planner, reader);
  };
  const askedOf = (index: RuleIndex, event: unknown): string[] => {
    asked.length = 0;
    index.evaluate(decode(event), { matched: () => undefined, mismatched: () => undefined });
    return [...asked];
  };

  it('asks the rules that name a resource of no event of another one', () => {
    const index = indexOf({
      any: undefined,
      both: ['pods', 'secrets'],
      never: [],
      secrets: ['secrets'],
    });
    const namesFor = (event: unknown): string[] => askedOf(index, event);
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
  });

  it.each([
    ['a verb and a resource', { Verb: 'get', ObjectRef: { Resource: 'pods' } }, []],
    ['a verb alone', { Verb: 'get' }, []],
    ['nothing at all', {}, []],
    ['the longest verb that is kept', { Verb: 'v'.repeat(128) }, []],
    ['a longer verb', { Verb: 'v'.repeat(129) }, ['any']],
    ['a verb that is no text', { Verb: 5 }, ['any']],
    ['a longer resource', { ObjectRef: { Resource: 'r'.repeat(129) } }, ['any']],
    ['a longer subresource', { ObjectRef: { Subresource: 's'.repeat(129) } }, ['any']],
  ])('asks again at the second event with %s: %#', (_what, event, again) => {
    const index = indexOf({ any: undefined });
    expect(askedOf(index, event)).toEqual(['any']);
    expect(askedOf(index, event)).toEqual(again);
  });

  it('keeps what was settled for one kind of event apart from every other kind', () => {
    const index = indexOf({ any: undefined });
    const objects = [
      undefined,
      ...['', 'b', '1:b'].flatMap((Resource) =>
        ['', 'c', '0'].map((Subresource) => ({ Resource, Subresource })),
      ),
    ];
    const kinds = ['', '0', 'a', 'a/1:b'].flatMap((Verb) =>
      objects.map((ObjectRef) => ({ Verb, ObjectRef })),
    );
    expect(kinds.map((event) => askedOf(index, event))).toEqual(kinds.map(() => ['any']));
    expect(kinds.map((event) => askedOf(index, event))).toEqual(kinds.map(() => []));
  });
});

it('tells nobody of rules that met no value of the wrong type', () => {
  const engine = new Engine([parsed('RequestURI = "/api"')]);
  engine.matches(decode({ RequestURI: '/api' }));
  expect(engine.mismatches).toEqual([]);
});

it('counts a mismatch of a part that rules share for each, and only where there was one', () => {
  const bad = parsed('RequestURI > 5');
  const both: Condition = { kind: 'or', operands: [bad, parsed('Level exists')], from: 0, to: 0 };
  const engine = new Engine([bad, both, { kind: 'not', operand: both, from: 0, to: 0 }]);
  engine.matches(decode({ RequestURI: '6', Level: 'x' }));
  expect(engine.mismatches).toEqual([]);
  engine.matches(decode({ RequestURI: '/api', Level: 'x' }));
  engine.matches(decode({ RequestURI: '6', Level: 'x' }));
  expect(engine.mismatches).toEqual([1, 1, 1]);
});

it('asks a part once an event that another rule has behind not', () => {
  const reader = new FieldReader();
  const planner = new Planner(reader);
  let askCount = 0;
  const ask = (): typeof TRUE => {
    askCount += 1;
    return TRUE;
  };
  const shared: Plan = { kind: 'test', id: -1, cost: 1, isIndexed: false, equals: undefined, ask };
  const rules = [shared, planner.not(shared)].map((plan) => ({ plan, resources: undefined }));
  const index = new RuleIndex(rules, planner, reader);
  index.evaluate(decode({}), { matched: () => undefined, mismatched: () => undefined });
  expect(askCount).toBe(1);
});

it('asks a part that rules share once an event, and of each event anew', () => {
  const reader = new FieldReader();
  const planner = new Planner(reader);
  let askCount = 0;
  const shared: Plan = {
    ...{ kind: 'test', id: -1, cost: 1, isIndexed: false, equals: undefined },
    ask: (current) => {
      askCount += 1;
      return current.read(current.slot({ field: 'RequestURI' })) === '/api' ? TRUE : FALSE;
    },
  };
  const rules = [shared, planner.not(shared), planner.join('or', [shared, planner.not(shared)])];
  const index = new RuleIndex(
    rules.map((plan) => ({ plan, resources: undefined })),
    planner,
    reader,
  );
  const matchesOf = (event: unknown): number[] => {
    const found: number[] = [];
    index.evaluate(decode(event), {
      matched: (rule) => found.push(rule),
      mismatched: () => undefined,
    });
    return found;
  };
  expect(matchesOf({ RequestURI: '/api' })).toEqual([0, 2]);
  expect(askCount).toBe(1);
  expect(matchesOf({ RequestURI: '/apis' })).toEqual([1, 2]);
  expect(askCount).toBe(2);
  expect(matchesOf({ RequestURI: '/api' })).toEqual([0, 2]);
});

it('stays fast when every event has a resource of its own', () => {
  const rules = Array.from({ length: 50 }, () => parsed('Verb not exists'));
  const engine = new Engine(rules);
  for (let i = 0; i < 20_000; i += 1) {
    engine.matches(decode({ Verb: 'get', ObjectRef: { Resource: `r${i}` } }));
  }
  expect(
    engine.matches(decode({ Verb: 'get', ObjectRef: { Resource: 'x'.repeat(10_000) } })),
  ).toEqual([]);
});
