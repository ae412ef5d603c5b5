// npm run bench -- archive: the embedded engine with 5 million Metadata events, beside SQLite and DuckDB on Parquet with the
// same events. Figures are wall milliseconds, median (lowest to highest), cold ones of a fresh engine (the file cache of the
// machine is warm in both). In the JSON file: `archive_query_<question>_ms`, `…_cold_ms`, and `…_speedup`, how many times as
// fast as the better baseline; `archive_events`, of how many events. --quick stores 200,000. In `all` there are no baselines.
// --keep FOLDER leaves what is stored there; a later run with the same folder asks it anew, without storing for half an hour.
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { duckDbBaseline, sqliteBaseline } from './bench-archive-baselines.mjs';
import { syntheticEvents } from './bench-archive-events.mjs';
import { shown, spread } from './bench-figures.mjs';

/** The quick run has small segments: nearly all of it is sealed, so that its disk includes their indexes. */
const FULL = {
  events: 5_000_000,
  segmentRows: 262_144,
  coldRuns: 3,
  baselineRuns: 3,
};
const QUICK = {
  events: 200_000,
  segmentRows: 32_768,
  coldRuns: 1,
  baselineRuns: 1,
};
const BATCH_EVENTS = 400;
/** Rows of one transaction of SQLite: several times cheaper for it than one for each batch, and half an hour less here. */
const TRANSACTION_ROWS = 10_000;
const START_US = Date.UTC(2026, 0, 1) * 1000;
/** Some 50,000 events an hour: 5 million are four days. */
const STEP_US = 72_000;
const HOUR_US = 3600e6;
const RUNS = 5;

const MODULES = {
  openEmbeddedEngine: './apps/archive/embedded/embedded-engine',
  SearchThreads: './apps/archive/embedded/search-threads',
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

/** @param bench `alone`: without the baselines */
export async function benchArchive(bench) {
  const { root, quick, alone = false, keep, figures, print, load, bundle } = bench;
  const modules = await load(MODULES);
  const program = join(root, await bundle('apps/archive/embedded/search-thread.ts'));
  const threads = new modules.SearchThreads({
    script: pathToFileURL(program),
    count: Math.min(4, availableParallelism()),
    log: { warn: console.error },
  });
  const ours = { ...modules, threads };
  const size = quick ? QUICK : FULL;
  const folder = keep ?? mkdtempSync(join(tmpdir(), 'bench-archive-'));
  mkdirSync(folder, { recursive: true });
  const say = (name, id, { value, digits = 1, note = '' }) => {
    const isSeries = Array.isArray(value);
    if (isSeries) figures.add(id, value);
    else figures.set(id, value);
    const text = isSeries ? shown(spread(value), digits) : value.toFixed(digits);
    print(`${name.padEnd(46)} ${text.padStart(24)}  ${note}`);
  };
  try {
    const archive = join(folder, 'archive');
    const stored = join(folder, `stored-${size.events}.json`);
    checkStored({ folder, stored, alone });
    const baselines = alone ? [] : await openBaselines(folder);
    const work = { ours, archive, baselines, size, say, figures, stored };
    figures.set('archive_events', size.events);
    print(`archive of ${size.events} events${alone ? '' : ', beside baselines'}`);
    await store(work);
    await ask(work);
    for (const baseline of baselines) await baseline.close();
    const script = join(root, await bundle('tools/bench-archive-memory.mjs'));
    inOwnProcess({ script, archive, program, say });
    await real({ ours, root, folder, say });
  } finally {
    await threads.close();
    if (keep === undefined) rmSync(folder, { recursive: true, force: true });
  }
}

/** What a run left that did not end, or had another number of events, must not pass for what is to be asked. */
function checkStored({ folder, stored, alone }) {
  if (existsSync(stored)) {
    if (alone || JSON.parse(readFileSync(stored, 'utf8')).baselineUs.length > 0) return;
    throw new Error(
      `${folder} was stored with --alone: ask it with --alone, or name another folder`,
    );
  }
  const others = readdirSync(folder);
  if (others.length > 0)
    throw new Error(
      `--keep: expected an empty folder or one of a whole run of as many events, got ${folder} with ${others.join(', ')}`,
    );
}

function openBaselines(folder) {
  return Promise.all([
    sqliteBaseline(join(folder, 'events.sqlite'), TRANSACTION_ROWS),
    duckDbBaseline(folder),
  ]);
}

/** Stores the events, or takes the figures of the run that stored them. */
async function store({ ours, archive, baselines, size, say, stored }) {
  const isStored = existsSync(stored);
  const ingested = isStored
    ? JSON.parse(readFileSync(stored, 'utf8'))
    : await ingest({ ours, archive, baselines, size });
  for (const baseline of baselines) await baseline.finish();
  ingested.baselineUs ??= baselines.map(({ ingestUs }) => ingestUs() / size.events);
  if (!isStored) writeFileSync(stored, JSON.stringify(ingested));
  const disk = diskBytes(archive) / size.events;
  const theirs = baselines.map(({ bytes }) => bytes() / size.events);
  const ofBetter = (value, others) =>
    others.length === 0
      ? ''
      : `; ${(value / Math.min(...others)).toFixed(2)} of the better baseline`;
  const { cpuUs, parseUs, baselineUs } = ingested;
  say('archive: ingest, us CPU an event', 'archive_ingest_us_per_event', {
    value: cpuUs,
    digits: 2,
    note: `budget 9; JSON.parse of one ${parseUs.toFixed(2)}${ofBetter(cpuUs, baselineUs)}`,
  });
  say('archive: disk, bytes an event', 'archive_bytes_per_event', {
    value: disk,
    note: `budget 235${ofBetter(disk, theirs)}`,
  });
  baselines.forEach(({ name, id }, at) => {
    say(`${name}: disk, bytes an event`, `archive_${id}_bytes_per_event`, {
      value: theirs[at],
      note: `ingest ${baselineUs[at].toFixed(2)} us CPU`,
    });
  });
}

function open(ours, directory, { rows = FULL.segmentRows } = {}) {
  const silent = () => undefined;
  return ours.openEmbeddedEngine({
    directory,
    files: ours.nodeFiles,
    log: { info: silent, warn: console.error, error: console.error },
    segment: { bytes: 64 * 2 ** 20, rows, indexBytes: 64 * 2 ** 20, ageMs: 2 ** 45 },
    retention: { ageMs: 2 ** 45, bytes: 2 ** 50 },
    indexCacheBytes: 96 * 2 ** 20,
    queryTimeoutMs: 600_000,
    threads: ours.threads,
    now: Date.now,
  });
}

async function ingest({ ours, archive, baselines, size }) {
  const count = size.events;
  const engine = await open(ours, archive, { rows: size.segmentRows });
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

async function ask({ ours, archive, baselines, size, say, figures }) {
  const warm = await open(ours, archive);
  for (const question of questions(size.events)) {
    const cold = [];
    for (let run = 0; run < size.coldRuns; run += 1) {
      const fresh = await open(ours, archive);
      cold.push(await timed(() => answer(ours, fresh, question)));
      await fresh.close();
    }
    await answer(ours, warm, question);
    const times = await series(question.runs ?? RUNS, () => answer(ours, warm, question));
    const theirs = [];
    for (const baseline of baselines) {
      const runs = question.runs ?? size.baselineRuns;
      theirs.push(spread(await series(runs, () => baseline.ask(question.sql))).median);
    }
    const figure = `archive_query_${question.id}`;
    const speedup = Math.min(...theirs) / spread(times).median;
    const others = baselines.map(({ name }, at) => `${name} ${theirs[at].toFixed(0)}`).join(', ');
    const compared = `; ${speedup.toFixed(1)} times as fast as the better of ${others}`;
    say(`archive: ${question.name}, ms warm`, `${figure}_ms`, {
      value: times,
      note: `budget ${question.budgetMs}${baselines.length > 0 ? compared : ''}`,
    });
    const budget = question.coldMs ? `budget ${question.coldMs}` : '';
    say(`archive: ${question.name}, ms cold`, `${figure}_cold_ms`, { value: cold, note: budget });
    if (baselines.length > 0) figures.set(`${figure}_speedup`, speedup);
  }
  await warm.close();
}

/**
 * What a process that has nothing else in it takes, with the allocator's setting of the image (Dockerfile): RSS does not
 * count the baselines and the events that were made.
 */
function inOwnProcess({ script, archive, program, say }) {
  const env = { ...process.env, MALLOC_ARENA_MAX: '2' };
  const measured = JSON.parse(
    execFileSync(process.execPath, [script, archive, program], { encoding: 'utf8', env }),
  );
  const note = 'budget 3000 at 50 million';
  say('archive: open, ms', 'archive_open_ms', { value: measured.openMs, digits: 0, note });
  say('archive: index in memory, MiB', 'archive_index_mib', {
    value: measured.indexBytes / 2 ** 20,
    note: 'at most 96',
  });
  say('archive: RSS after queries, MiB', 'archive_query_rss_mib', {
    value: measured.rssBytes / 2 ** 20,
    digits: 0,
    note: 'budget 300 at 5 million',
  });
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
  rmSync(archive, { recursive: true, force: true });
  const engine = await open(ours, archive, { rows: slices.length });
  for (let at = 0; at < slices.length; at += BATCH_EVENTS)
    await engine.append(await keptBatch(ours, slices.slice(at, at + BATCH_EVENTS), at), 0n);
  // One more event begins another segment, so that the index of the first is written.
  await engine.append(await keptBatch(ours, [Buffer.from('{"auditID":"last"}')], 1e6), 0n);
  await engine.close();
  say('archive: real captures, disk, bytes an event', 'archive_real_bytes_per_event', {
    value: diskBytes(archive) / slices.length,
    note: `budget 140; ${slices.length} events`,
  });
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

async function series(runs, work) {
  const times = [];
  for (let run = 0; run < runs; run += 1) times.push(await timed(work));
  return times;
}
