// npm run bench -- archive: the embedded engine with 5 million Metadata events, beside SQLite and DuckDB on Parquet with the
// same events. Figures are wall milliseconds, median (lowest to highest), cold ones of a fresh engine (the file cache of the
// machine is warm in both). In the JSON file: `archive_query_<question>_ms`, `…_cold_ms`, and `…_speedup`, how many times as
// fast as the better baseline; `archive_events`, of how many events. --quick stores 200,000. In `all` there are no baselines.
// --keep FOLDER leaves what is stored there; a later run with the same folder asks it anew, without storing for half an hour.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { duckDbBaseline, sqliteBaseline } from './bench-archive-baselines.mjs';
import { answer, questions } from './bench-archive-questions.mjs';
import {
  BATCH_EVENTS,
  STORE_MODULES,
  checkStored,
  diskBytes,
  keptBatch,
  openEngine,
  store,
} from './bench-archive-store.mjs';
import { shown, spread } from './bench-figures.mjs';

/** The quick run has small segments: nearly all of it is sealed, so that its disk includes their indexes. */
const FULL = {
  events: 5_000_000,
  segmentRows: 258_048,
  coldRuns: 3,
  baselineRuns: 3,
};
const QUICK = {
  events: 200_000,
  segmentRows: 32_768,
  coldRuns: 1,
  baselineRuns: 1,
};
/** Rows of one transaction of SQLite: several times cheaper for it than one for each batch, and half an hour less here. */
const TRANSACTION_ROWS = 10_000;
const RUNS = 5;

const MODULES = {
  ...STORE_MODULES,
  SearchThreads: './apps/archive/embedded/search-threads',
  SearchRequest: '@auditing/proto/archive',
  Query: '@auditing/proto/archive',
};

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

function openBaselines(folder) {
  return Promise.all([
    sqliteBaseline(join(folder, 'events.sqlite'), TRANSACTION_ROWS),
    duckDbBaseline(folder),
  ]);
}

async function ask({ ours, archive, baselines, size, say, figures }) {
  const warm = await openEngine(ours, archive);
  for (const question of questions(size.events)) {
    const cold = [];
    for (let run = 0; run < size.coldRuns; run += 1) {
      const fresh = await openEngine(ours, archive);
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

/** The captures of a real API server that lie in the repository's test data, each stored until there are enough. */
async function real({ ours, root, folder, say }) {
  const data = join(root, 'libs/audit-event/testdata/metadata');
  const slices = readdirSync(data)
    .filter((name) => name.endsWith('.gz'))
    .flatMap((name) => JSON.parse(gunzipSync(readFileSync(join(data, name)))).items)
    .map((item) => Buffer.from(JSON.stringify(item)));
  const archive = join(folder, 'real');
  rmSync(archive, { recursive: true, force: true });
  const engine = await openEngine(ours, archive, { rows: slices.length });
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
