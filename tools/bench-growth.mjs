// npm run bench -- growth: does an append cost more the more is stored? Appends up to 50 million events (`--events MILLIONS`;
// --quick: 1) to the embedded archive and says, at some sizes, what the appends of the half million before it cost: CPU time an
// event, the same as a share of one JSON.parse of such an event at that moment, the slowest appends, and the memory of the process.
// Half an hour and 12 GB of disk. The texts of the events repeat, to be quick; ids, keys and times are new in each.
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { syntheticEvents } from './bench-archive-events.mjs';
import {
  BATCH_EVENTS,
  START_US,
  STEP_US,
  STORE_MODULES,
  diskBytes,
  keptBatch,
  openEngine,
} from './bench-archive-store.mjs';
import { cpuOf, quantile } from './bench-figures.mjs';

const MILLION = 1_000_000;
/** Where it is looked at, in millions of events. */
const MARKS = [1, 2, 5, 10, 20, 50];
const WINDOW_EVENTS = 500_000;
const KEY_BYTES = 32;
/** Batches whose texts are used again and again: 25,600 events. */
const TEMPLATES = 64;
const MIB = 2 ** 20;

/** @param bench `root`, `quick`, `events` (millions), `figures`, `print`, `load` */
export async function benchGrowth({ quick, events = quick ? 1 : 50, figures, print, load }) {
  const ours = await load(STORE_MODULES);
  const directory = mkdtempSync(join(tmpdir(), 'bench-growth-'));
  try {
    const templates = await makeTemplates(ours);
    const engine = await openEngine(ours, directory);
    print(`\nan append, as the archive grows to ${events} million events`);
    print(
      '  million   us CPU an event   of JSON.parse   append p50, p99 ms   RSS MiB   GB on disk',
    );
    let done = 0;
    for (const mark of MARKS.filter((one) => one <= events)) {
      done = await appendTo(engine, templates, { done, end: mark * MILLION - WINDOW_EVENTS });
      const window = await measured(engine, templates, { done, end: mark * MILLION });
      done = mark * MILLION;
      const parse = parseUs(templates);
      figures.set(`growth_append_us_${mark}m`, window.us);
      figures.set(`growth_append_of_parse_${mark}m`, window.us / parse);
      print(
        `${String(mark).padStart(9)}${window.us.toFixed(1).padStart(18)}${(window.us / parse).toFixed(2).padStart(16)}` +
          `${`${window.p50.toFixed(1)}, ${window.p99.toFixed(1)}`.padStart(21)}` +
          `${(process.memoryUsage.rss() / MIB).toFixed(0).padStart(10)}${(diskBytes(directory) / 1e9).toFixed(2).padStart(13)}`,
      );
    }
    await engine.close();
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Batches of other events each, with their texts for JSON.parse. */
async function makeTemplates(ours) {
  const events = syntheticEvents({ seed: 1, startUs: START_US, stepUs: STEP_US });
  const templates = [];
  for (let at = 0; at < TEMPLATES; at += 1) {
    const texts = Array.from({ length: BATCH_EVENTS }, () => events.next().value);
    const kept = await keptBatch(
      ours,
      texts.map((text) => Buffer.from(text)),
      at * BATCH_EVENTS,
    );
    const idField = ours.Field.AUDIT_ID;
    templates.push({ texts, kept, idField });
  }
  return templates;
}

/** Some template as the batch of events from `first` on. */
function batchAt(templates, first) {
  const { kept, idField } = templates[(first / BATCH_EVENTS) % templates.length];
  const ids = Array.from({ length: BATCH_EVENTS }, () => randomUUID());
  const times = Array.from({ length: BATCH_EVENTS }, (_, at) => START_US + (first + at) * STEP_US);
  return {
    ...kept,
    batch: {
      ...kept.batch,
      id: { ...kept.batch.id, sequence: BigInt(first / BATCH_EVENTS + 1) },
      receivedAtUs: times[0],
      keys: randomBytes(BATCH_EVENTS * KEY_BYTES),
      requestReceivedUs: times,
      stageUs: times,
      columns: kept.batch.columns.map((column) =>
        column.field === idField
          ? { ...column, values: ids, rows: ids.map((_, at) => at + 1) }
          : column,
      ),
    },
  };
}

async function appendTo(engine, templates, { done, end }) {
  for (let first = done; first < end; first += BATCH_EVENTS)
    await engine.append(batchAt(templates, first), 0n);
  return Math.max(done, end);
}

async function measured(engine, templates, { done, end }) {
  const times = [];
  let us = 0;
  for (let first = done; first < end; first += BATCH_EVENTS) {
    const kept = batchAt(templates, first);
    const begun = performance.now();
    const before = process.cpuUsage();
    await engine.append(kept, 0n);
    const { user, system } = process.cpuUsage(before);
    us += user + system;
    times.push(performance.now() - begun);
  }
  return { us: us / (end - done), p50: quantile(times, 0.5), p99: quantile(times, 0.99) };
}

/** One JSON.parse of an event, in microseconds of CPU. */
function parseUs(templates) {
  const ms = cpuOf(() => {
    for (const { texts } of templates) for (const text of texts) JSON.parse(text);
  });
  return (ms * 1000) / (templates.length * BATCH_EVENTS);
}
