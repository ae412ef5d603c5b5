// Stores the events of the benchmark of the archive, in it and in what it is compared with.
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { syntheticEvents } from './bench-archive-events.mjs';

/** What storing takes of ours. */
export const STORE_MODULES = {
  openEmbeddedEngine: './apps/archive/embedded/embedded-engine',
  nodeFiles: '@auditing/journal/node-files',
  compressBlock: '@auditing/audit-event/block',
  ARCHIVE_FIELDS: '@auditing/audit-event/columns',
  buildColumns: '@auditing/audit-event/columns',
  decodeEvent: '@auditing/audit-event/decoded-event',
  eventKeys: '@auditing/audit-event/event-key',
  KeptBatch: '@auditing/proto/archive',
  Field: '@auditing/proto/event',
};
export const BATCH_EVENTS = 400;
export const START_US = Date.UTC(2026, 0, 1) * 1000;
/** Some 50,000 events an hour: 5 million are four days. */
export const STEP_US = 72_000;

/** What a run left that did not end, or had another number of events, must not pass for what is to be asked. */
export function checkStored({ folder, stored, alone }) {
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

/** Stores the events, or takes the figures of the run that stored them. */
export async function store({ ours, archive, baselines, size, say, stored }) {
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

/** The engine as it is measured, in a folder. */
export function openEngine(ours, directory, { rows = 258_048 } = {}) {
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
  const engine = await openEngine(ours, archive, { rows: size.segmentRows });
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

/** A batch as the gateway makes it; `first` is the number of its first event. */
export async function keptBatch(ours, slices, first) {
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

/** What all files of a folder take. */
export function diskBytes(folder) {
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
