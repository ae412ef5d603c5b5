// npm run bench -- archive: the embedded engine with 5 million Metadata events, beside SQLite and DuckDB on Parquet with the
// same events. Figures are wall milliseconds of the median of a few runs, cold ones of a fresh engine (the file cache of
// the machine is warm in both).
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { duckDbBaseline, sqliteBaseline } from './bench-archive-baselines.mjs';
import { syntheticEvents } from './bench-archive-events.mjs';

const FULL_EVENTS = 5_000_000;
const QUICK_EVENTS = 200_000;
const BATCH_EVENTS = 400;
const START_US = Date.UTC(2026, 0, 1) * 1000;
/** Some 50,000 events an hour: 5 million are four days. */
const STEP_US = 72_000;
const HOUR_US = 3600e6;
const RUNS = 5;

const MODULES = {
  openEmbeddedEngine: './apps/archive/embedded/embedded-engine',
  nodeFiles: '@auditing/journal/node-files',
  compressBlock: '@auditing/audit-event/block',
  ARCHIVE_FIELDS: '@auditing/audit-event/columns',
  buildColumns: '@auditing/audit-event/columns',
  decodeEvent: '@auditing/audit-event/decoded-event',
  eventKeys: '@auditing/audit-event/event-key',
  KeptBatch: '@auditing/proto/archive',
  SearchRequest: '@auditing/proto/archive',
  Query: '@auditing/proto/archive',
  Field: '@auditing/proto/event',
};

/** What is asked, of the archive and, as SQL, of the baselines. */
function questions(count) {
  const endUs = START_US + count * STEP_US;
  const hour = [endUs - 2 * HOUR_US, endUs - HOUR_US];
  const inHour = `time_us >= ${hour[0]} and time_us <= ${hour[1]}`;
  const newest = (where) => `select raw from events where ${where} order by time_us desc limit 100`;
  return [
    { name: 'newest 100', budgetMs: 100, coldMs: 500, search: {}, sql: newest('true') },
    {
      name: 'newest 100 of a user and verb',
      budgetMs: 100,
      coldMs: 500,
      search: { user: 'user-7@example.org', verb: 'delete' },
      sql: newest("user = 'user-7@example.org' and verb = 'delete'"),
    },
    {
      name: 'newest 100 of a rare name',
      budgetMs: 100,
      coldMs: 500,
      search: { name: 'no-such-name' },
      sql: newest("name = 'no-such-name'"),
    },
    {
      name: 'newest 100 of code 500',
      budgetMs: 100,
      coldMs: 500,
      search: { code: '500', verb: 'list' },
      sql: newest("code = '500' and verb = 'list'"),
    },
    {
      name: 'histogram by hour',
      budgetMs: 50,
      histogram: 3600,
      sql: 'select cast(time_us / 3600000000 as integer) as hour, count(*) from events group by 1 order by 1',
    },
    {
      name: 'top 20 users',
      budgetMs: 50,
      facets: 'USER',
      sql: 'select user, count(*) as count from events group by 1 order by 2 desc, 1 limit 20',
    },
    {
      name: 'text in an hour',
      budgetMs: 150,
      search: { text: 'binding-59', between: hour },
      sql: newest(`${inHour} and raw like '%binding-59%'`),
    },
    {
      name: 'text over all',
      budgetMs: 6000,
      search: { text: 'not to be found' },
      sql: newest("raw like '%not to be found%'"),
      runs: 1,
    },
  ];
}

export async function benchArchive({ root, quick, figures, print, load }) {
  const ours = await load(MODULES);
  const count = quick ? QUICK_EVENTS : FULL_EVENTS;
  const folder = mkdtempSync(join(tmpdir(), 'bench-archive-'));
  const say = (name, value, note = '') => {
    print(`${name.padEnd(46)} ${String(value).padStart(12)}  ${note}`);
    figures.set(name, Number(value));
  };
  try {
    const archive = join(folder, 'archive');
    const baselines = await Promise.all([
      sqliteBaseline(join(folder, 'events.sqlite')),
      duckDbBaseline(folder),
    ]);
    const ingested = await ingest({ ours, archive, baselines, count });
    for (const baseline of baselines) await baseline.finish();
    say(
      'archive: ingest, us CPU an event',
      ingested.cpuUs.toFixed(2),
      `budget 9; JSON.parse of one ${ingested.parseUs.toFixed(2)}`,
    );
    say('archive: disk, bytes an event', (diskBytes(archive) / count).toFixed(1), 'budget 235');
    for (const { name, bytes, ingestUs } of baselines)
      say(
        `${name}: disk, bytes an event`,
        (bytes() / count).toFixed(1),
        `ingest ${(ingestUs() / count).toFixed(2)} us CPU`,
      );
    await ask({ ours, archive, baselines, count, say });
    for (const baseline of baselines) await baseline.close();
    await real({ ours, root, folder, say });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function open(ours, directory, { rows = 262_144 } = {}) {
  const silent = () => undefined;
  return ours.openEmbeddedEngine({
    directory,
    files: ours.nodeFiles,
    log: { info: silent, warn: console.error, error: console.error },
    segment: { bytes: 64 * 2 ** 20, rows, indexBytes: 64 * 2 ** 20, ageMs: 2 ** 45 },
    retention: { ageMs: 2 ** 45, bytes: 2 ** 50 },
    indexCacheBytes: 128 * 2 ** 20,
    queryTimeoutMs: 600_000,
    now: Date.now,
  });
}

async function ingest({ ours, archive, baselines, count }) {
  const engine = await open(ours, archive);
  const events = syntheticEvents({ seed: 1, startUs: START_US, stepUs: STEP_US });
  let cpuUs = 0;
  let parseUs = 0;
  for (let done = 0; done < count; done += BATCH_EVENTS) {
    const texts = Array.from({ length: BATCH_EVENTS }, () => events.next().value);
    const parsed = cpu(() => texts.map((text) => JSON.parse(text)));
    parseUs += parsed.us;
    const kept = await keptBatch(
      ours,
      texts.map((text) => Buffer.from(text)),
      done,
    );
    const before = process.cpuUsage();
    await engine.append(kept, 0n);
    const { user, system } = process.cpuUsage(before);
    cpuUs += user + system;
    for (const baseline of baselines) await baseline.insert(texts, parsed.value);
  }
  const before = process.cpuUsage();
  await engine.close();
  const { user, system } = process.cpuUsage(before);
  return { cpuUs: (cpuUs + user + system) / count, parseUs: parseUs / count };
}

async function keptBatch(ours, slices, first) {
  const decoded = slices.map((bytes) => ours.decodeEvent(bytes, 1));
  return ours.KeptBatch.create({
    batch: {
      id: {
        epoch: '00000000000000a1',
        sequence: BigInt(first / BATCH_EVENTS + 1),
        part: 0,
        firstEvent: 0,
        eventCount: 0,
      },
      receivedAtUs: START_US + first * STEP_US,
      eventCount: slices.length,
      block: await ours.compressBlock(slices),
      sliceBytes: slices.map(({ length }) => length),
      keys: ours.eventKeys(slices),
      requestReceivedUs: decoded.map(({ requestReceivedUs }) => requestReceivedUs),
      stageUs: decoded.map(({ stageUs }) => stageUs),
      columns: ours.buildColumns(decoded, ours.ARCHIVE_FIELDS),
    },
    positions: slices.map((_, place) => place),
    verdicts: {
      ruleSetVersion: 'bench',
      rules: [{ name: 'bench.all', priority: 1 }],
      verdicts: slices.map((_, event) => ({
        event,
        findings: [{ rule: 0, message: '', alert: false }],
        strip: 0,
        workspace: '',
      })),
      ignoredCount: 0,
    },
  });
}

async function ask({ ours, archive, baselines, count, say }) {
  let warm = await open(ours, archive);
  for (const question of questions(count)) {
    const fresh = await open(ours, archive);
    const cold = await timed(() => answer(ours, fresh, question));
    await fresh.close();
    await answer(ours, warm, question);
    const ms = await median(question.runs ?? RUNS, () => answer(ours, warm, question));
    const theirs = [];
    for (const baseline of baselines) {
      await baseline.ask(question.sql);
      theirs.push(await median(question.runs ?? 3, () => baseline.ask(question.sql)));
    }
    const best = Math.min(...theirs);
    const note = baselines.map(({ name }, at) => `${name} ${theirs[at].toFixed(0)}`).join(', ');
    say(
      `archive: ${question.name}, ms warm`,
      ms.toFixed(1),
      `budget ${question.budgetMs}; ${(best / ms).toFixed(1)} times as fast as the better of ${note}`,
    );
    say(
      `archive: ${question.name}, ms cold`,
      cold.toFixed(1),
      question.coldMs ? `budget ${question.coldMs}` : '',
    );
  }
  await warm.close();
  warm = undefined;
  const { value, ms } = await opened(ours, archive);
  say('archive: open, ms', ms.toFixed(0), 'budget 3000 at 50 million');
  say('archive: index in memory, MB', (value / 2 ** 20).toFixed(0), 'budget 128');
  say('process: RSS with baselines, MB', (process.memoryUsage().rss / 2 ** 20).toFixed(0));
}

async function opened(ours, archive) {
  const begin = performance.now();
  const engine = await open(ours, archive);
  await engine.stats();
  const ms = performance.now() - begin;
  for (const field of ['USER', 'VERB', 'NAME', 'CODE'])
    await answer(ours, engine, { facets: field });
  const value = engine.gauges().memoryBytes;
  await engine.close();
  return { value, ms };
}

async function answer(ours, engine, { search, histogram, facets }) {
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

/** The captures of a real API server that lie in the repository's test data, each stored until there are enough. */
async function real({ ours, root, folder, say }) {
  const data = join(root, 'libs/audit-event/testdata/metadata');
  const slices = readdirSync(data)
    .filter((name) => name.endsWith('.gz'))
    .flatMap((name) => JSON.parse(gunzipSync(readFileSync(join(data, name)))).items)
    .map((item) => Buffer.from(JSON.stringify(item)));
  const archive = join(folder, 'real');
  const engine = await open(ours, archive, { rows: slices.length });
  for (let at = 0; at < slices.length; at += BATCH_EVENTS)
    await engine.append(await keptBatch(ours, slices.slice(at, at + BATCH_EVENTS), at), 0n);
  // One more event begins another segment, so that the index of the first is written.
  await engine.append(await keptBatch(ours, [Buffer.from('{"auditID":"last"}')], 1e6), 0n);
  await engine.close();
  const bytes = (diskBytes(archive) / slices.length).toFixed(1);
  say('archive: real captures, disk, bytes an event', bytes, `budget 140; ${slices.length} events`);
}

function diskBytes(folder) {
  return readdirSync(folder, { withFileTypes: true }).reduce((sum, entry) => {
    const path = join(folder, entry.name);
    return sum + (entry.isDirectory() ? diskBytes(path) : statSync(path).size);
  }, 0);
}

function cpu(work) {
  const before = process.cpuUsage();
  const value = work();
  const { user, system } = process.cpuUsage(before);
  return { value, us: user + system };
}

async function timed(work) {
  const begin = performance.now();
  await work();
  return performance.now() - begin;
}

async function median(runs, work) {
  const times = [];
  for (let run = 0; run < runs; run += 1) times.push(await timed(work));
  return times.sort((a, b) => a - b)[Math.floor(runs / 2)];
}
