import { timestampFromMicros } from '@auditing/audit-event/timestamp';
import { Match, Order, type Condition } from '@auditing/proto/archive';
import { Field } from '@auditing/proto/event';
import fc from 'fast-check';

import type { Engine } from './engine';
import { batchOf, DAY_ONE_US, eventBytes, type EventSketch } from './testing/batches';
import { ENGINE_KINDS, type EngineKind } from './testing/engine-kinds';
import { found, never } from './testing/engines';

/** Fields of the sketch that queries ask for, and how the model reads them. */
const FIELDS: readonly (readonly [Field, (sketch: EventSketch) => readonly string[]])[] = [
  [Field.USER, ({ user }) => [user ?? '']],
  [Field.VERB, ({ verb }) => [verb ?? '']],
  [Field.NAMESPACE, ({ namespace }) => [namespace ?? '']],
  [Field.NAME, ({ name }) => [name ?? '']],
  [Field.CODE, ({ code }) => [String(code)]],
  [Field.GROUPS, ({ groups }) => groups ?? []],
  [Field.AUDIT_ID, ({ auditId }) => [auditId ?? '']],
];

const WORDS = ['alice', 'Alice', 'bob', 'al?ce', 'a', '', 'system:admin', 'ä b*'];
const word = fc.constantFrom(...WORDS);

const sketch: fc.Arbitrary<EventSketch> = fc.record({
  auditId: fc.constantFrom('', 'one', 'two', 'three', 'four'),
  atUs: fc.nat({ max: 9 }).map((second) => second * 500_000),
  user: word,
  verb: fc.constantFrom('get', 'list', 'create'),
  namespace: word,
  name: word,
  code: fc.constantFrom(200, 201, 403),
  groups: fc.uniqueArray(word, { maxLength: 3 }),
  note: fc.constantFrom('needle', 'hay'),
});

const condition: fc.Arbitrary<Condition> = fc.record({
  field: fc.constantFrom(...FIELDS.map(([field]) => field)),
  match: fc.constantFrom(Match.EXACT, Match.CONTAINS, Match.PREFIX, Match.UNSPECIFIED),
  values: fc.array(fc.oneof(word, fc.constantFrom('A', '*l*e', '?', 'b?b', '403', '20', '*')), {
    maxLength: 2,
  }),
  negate: fc.boolean(),
});

const query = fc.record({
  startUs: fc.option(
    fc.nat({ max: 6 }).map((second) => second * 1e6),
    { nil: undefined },
  ),
  endUs: fc.option(
    fc.nat({ max: 6 }).map((second) => second * 1e6),
    { nil: undefined },
  ),
  conditions: fc.array(condition, { maxLength: 2 }),
  text: fc.constantFrom('', '', '', 'needle', 'no such text'),
  scope: fc.option(
    fc.array(fc.record({ name: word, sinceUs: fc.nat({ max: 6 }).map((second) => second * 1e6) }), {
      maxLength: 3,
    }),
    { nil: undefined },
  ),
});
type ModelQuery = typeof query extends fc.Arbitrary<infer T> ? T : never;

/** `*` and `?` as a regular expression: slow for hostile patterns, but plainly right. */
function contains(pattern: string, value: string): boolean {
  const source = Array.from(pattern, (one) =>
    one === '*' ? '.*' : one === '?' ? '.' : one.replace(/[.+^${}()|[\]\\]/g, '\\$&'),
  ).join('');
  return new RegExp(source, 'su').test(value);
}

function fits(event: EventSketch, query: ModelQuery): boolean {
  const { startUs, endUs, conditions, text, scope } = query;
  const atUs = event.atUs ?? 0;
  if (scope && !inScope(event, scope)) return false;
  if (startUs !== undefined && atUs < startUs) return false;
  if (endUs !== undefined && atUs > endUs) return false;
  if (!eventBytes(event).includes(text)) return false;
  return conditions.every(({ field, match, values, negate }) => {
    if (values.length === 0) return true;
    const list = FIELDS.find(([one]) => one === field)?.[1](event) ?? [];
    const any = (list.length === 0 ? [''] : list).some((value) =>
      values.some((wanted) => {
        if (match === Match.CONTAINS) return contains(wanted, value);
        if (match === Match.PREFIX) return value.toLowerCase().startsWith(wanted.toLowerCase());
        return value === wanted;
      }),
    );
    return any !== negate;
  });
}

/** The last entry of a name counts, and no entry speaks of events without a namespace. */
function inScope({ namespace = '', atUs = 0 }: EventSketch, scope: ModelQuery['scope']): boolean {
  const entry = scope?.findLast(({ name }) => name === namespace);
  return namespace !== '' && entry !== undefined && atUs >= entry.sinceUs;
}

function protoQuery({ startUs, endUs, conditions, text, scope }: ModelQuery) {
  return {
    start: startUs === undefined ? undefined : timestampFromMicros(DAY_ONE_US + startUs),
    end: endUs === undefined ? undefined : timestampFromMicros(DAY_ONE_US + endUs),
    conditions,
    text,
    scope: scope && {
      namespaces: scope.map(({ name, sinceUs }) => ({
        name,
        since: timestampFromMicros(DAY_ONE_US + sinceUs),
      })),
      workspaces: [],
    },
  };
}

async function withEngine(
  kind: EngineKind,
  batches: readonly (readonly EventSketch[])[],
  work: (engine: Engine) => Promise<void>,
) {
  const archive = await kind.open();
  try {
    for (const batch of batches)
      await archive.engine.append(await batchOf(batch.map(eventBytes)), 0n);
    await work(archive.engine);
  } finally {
    await archive.remove();
  }
}

/** The events that are stored, in the order of the archive: byte-equal ones with an audit id once. */
function storedOnce(batches: readonly (readonly EventSketch[])[]): EventSketch[] {
  const seen = new Set<string>();
  return batches.flat().filter((event) => {
    if (event.auditId === '') return true;
    const bytes = String(eventBytes(event));
    return !seen.has(bytes) && seen.add(bytes);
  });
}

const batches = fc.array(fc.array(sketch, { minLength: 1, maxLength: 6 }), { maxLength: 8 });

const question = fc.record({
  query,
  newestFirst: fc.boolean(),
  limit: fc.integer({ min: 1, max: 12 }),
  offset: fc.nat({ max: 6 }),
});
type Question = typeof question extends fc.Arbitrary<infer T> ? T : never;

async function comparePages(
  engine: Engine,
  { query: model, newestFirst, limit, offset }: Question,
  wanted: readonly EventSketch[],
): Promise<void> {
  const sorted = wanted
    .map((event, place) => ({ event, place }))
    .sort((a, b) => (a.event.atUs ?? 0) - (b.event.atUs ?? 0) || a.place - b.place)
    .map(({ event }) => String(eventBytes(event)));
  if (newestFirst) sorted.reverse();
  const order = newestFirst ? Order.NEWEST_FIRST : Order.OLDEST_FIRST;
  const asking = { query: protoQuery(model), order, limit, includeRaw: true };

  const page = await found(engine, { ...asking, offset, countTotal: true });
  expect(page.events.map(({ raw }) => raw.toString())).toEqual(
    sorted.slice(offset, offset + limit),
  );
  expect(page.total).toBe(BigInt(wanted.length));

  const paged: string[] = [];
  let cursor = '';
  do {
    const next = await found(engine, { ...asking, cursor });
    paged.push(...next.events.map(({ raw }) => raw.toString()));
    cursor = next.nextCursor;
  } while (cursor !== '');
  expect(paged).toEqual(sorted);
}

async function compareCounts(
  engine: Engine,
  query: ReturnType<typeof protoQuery>,
  wanted: readonly EventSketch[],
): Promise<void> {
  const ids = new Set(wanted.map(({ auditId }) => auditId).filter((id) => id !== ''));
  expect(await engine.statistics(query, never)).toEqual({
    eventCount: BigInt(wanted.length),
    requestCount: BigInt(ids.size),
  });

  const { buckets, total } = await engine.histogram({ query, intervalSeconds: 3 }, never);
  expect(total).toBe(BigInt(wanted.length));
  const bucketOf = (event: EventSketch): number =>
    Math.floor((DAY_ONE_US + (event.atUs ?? 0)) / 3e6) * 3;
  for (const { start, count } of buckets) {
    expect(count).toBe(
      BigInt(wanted.filter((event) => bucketOf(event) === Number(start?.seconds)).length),
    );
  }
  const starts = buckets.map(({ start }) => Number(start?.seconds));
  expect(starts).toEqual(starts.map((_, index) => (starts[0] ?? 0) + 3 * index));
}

async function compareFacets(
  engine: Engine,
  query: ReturnType<typeof protoQuery>,
  wanted: readonly EventSketch[],
): Promise<void> {
  for (const [field, read] of FIELDS) {
    const counts = new Map<string, number>();
    for (const value of wanted.flatMap(read)) {
      if (value !== '') counts.set(value, (counts.get(value) ?? 0) + 1);
    }
    const expected = [...counts]
      .sort(([a, countA], [b, countB]) => countB - countA || (a < b ? -1 : 1))
      .slice(0, 4)
      .map(([value, count]) => ({ value, count: BigInt(count) }));
    const { facets, valueCount } = await engine.facets({ query, field, limit: 4 }, never);
    expect(facets).toEqual(expected);
    expect(valueCount).toBe(BigInt(counts.size));
  }
}

/** An archive in OpenSearch takes a second to make: fewer of them, and each is asked more. */
const SIZES: Readonly<Record<string, { numRuns: number; questionsMax: number }>> = {
  opensearch: { numRuns: 6, questionsMax: 8 },
};
const USUAL = { numRuns: 80, questionsMax: 1 };

for (const kind of ENGINE_KINDS) {
  const { numRuns, questionsMax } = SIZES[kind.name] ?? USUAL;
  kind.describe(`the ${kind.name} engine:`, () => {
    test('search, statistics, histogram and facets agree with a plain filter over an array', async () => {
      const questions = fc.array(question, { minLength: questionsMax, maxLength: questionsMax });
      await fc.assert(
        fc.asyncProperty(batches, questions, async (stored, asked) => {
          await withEngine(kind, stored, async (engine) => {
            for (const one of asked) {
              const wanted = storedOnce(stored).filter((event) => fits(event, one.query));
              await comparePages(engine, one, wanted);
              await compareCounts(engine, protoQuery(one.query), wanted);
              await compareFacets(engine, protoQuery(one.query), wanted);
            }
          });
        }),
        // What does not agree is shown as it was found: to make it smaller takes long in OpenSearch.
        { numRuns, endOnFailure: kind.name === 'opensearch' },
      );
    }, 300_000);
  });
}
