// What the benchmark asks of the archive and of what it is compared with.
import { START_US, STEP_US } from './bench-archive-store.mjs';

const HOUR_US = 3600e6;

/** What is asked, of the archive and, as SQL, of the baselines. */
export function questions(count) {
  const endUs = START_US + count * STEP_US;
  const hour = [endUs - 2 * HOUR_US, endUs - HOUR_US];
  const inHour = `time_us >= ${hour[0]} and time_us <= ${hour[1]}`;
  const newest = (where) => `select raw from events where ${where} order by time_us desc limit 100`;
  return [
    {
      name: 'newest 100',
      id: 'newest100',
      budgetMs: 100,
      coldMs: 500,
      search: {},
      sql: newest('true'),
    },
    {
      name: 'newest 100 of a user and verb',
      id: 'newest100_user_verb',
      budgetMs: 100,
      coldMs: 500,
      search: { user: 'user-7@example.org', verb: 'delete' },
      sql: newest("user = 'user-7@example.org' and verb = 'delete'"),
    },
    {
      name: 'newest 100 of a rare name',
      id: 'newest100_rare_name',
      budgetMs: 100,
      coldMs: 500,
      search: { name: 'no-such-name' },
      sql: newest("name = 'no-such-name'"),
    },
    {
      name: 'newest 100 of code 500',
      id: 'newest100_code',
      budgetMs: 100,
      coldMs: 500,
      search: { code: '500', verb: 'list' },
      sql: newest("code = '500' and verb = 'list'"),
    },
    {
      name: 'histogram by hour',
      id: 'histogram',
      budgetMs: 50,
      histogram: 3600,
      sql: 'select cast(time_us / 3600000000 as integer) as hour, count(*) from events group by 1 order by 1',
    },
    {
      name: 'top 20 users',
      id: 'top20',
      budgetMs: 50,
      facets: 'USER',
      sql: 'select user, count(*) as count from events group by 1 order by 2 desc, 1 limit 20',
    },
    {
      name: 'text in an hour',
      id: 'text_hour',
      budgetMs: 150,
      search: { text: 'binding-59', between: hour },
      sql: newest(`${inHour} and raw like '%binding-59%'`),
    },
    {
      name: 'text over all',
      id: 'text_all',
      budgetMs: 6000,
      search: { text: 'not to be found' },
      sql: newest("raw like '%not to be found%'"),
      runs: 1,
    },
  ];
}

/** Asks the engine; gives what it found. */
export async function answer(ours, engine, { search, histogram, facets }) {
  const { signal } = new AbortController();
  if (histogram)
    return engine.histogram({ query: ours.Query.create(), intervalSeconds: histogram }, signal);
  if (facets)
    return engine.facets(
      { query: ours.Query.create(), field: ours.Field[facets], limit: 20 },
      signal,
    );
  const { text = '', between, ...fields } = search;
  const conditions = Object.entries(fields).map(([field, value]) => ({
    field: ours.Field[field.toUpperCase()],
    match: 1,
    values: [value],
  }));
  const time = (us) => ({ seconds: BigInt(Math.floor(us / 1e6)), nanos: (us % 1e6) * 1000 });
  const times = between ? { start: time(between[0]), end: time(between[1]) } : {};
  const request = ours.SearchRequest.fromPartial({
    query: { conditions, text, ...times },
    order: 1,
    limit: 100,
    includeRaw: true,
  });
  const events = [];
  for await (const part of engine.search(request, signal)) events.push(...part.events);
  return events;
}
