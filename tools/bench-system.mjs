// What a whole system costs: CPU time an event, all its processes together, from the socket to the archive, beside a
// floor and a textbook design that take the same bodies turn about with it, so that all see the same machine.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync, cpSync } from 'node:fs';
import { open as openFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EVENTS_PER_BODY, workloads } from './bench-bodies.mjs';
import { quantile, shown, spread } from './bench-figures.mjs';
import { Sender, openLoop } from './bench-load.mjs';
import { cpuUs } from './bench-process.mjs';
import { round, startOurs, startTargets } from './bench-targets.mjs';

const MIB = 2 ** 20;
/** About a compressed body of 400 events. */
const BLOCK = randomBytes(66_000);

/** How often, and how many bodies at once: a round must be long beside what its beginning and end cost. */
const FULL = {
  rounds: 9,
  // Code is compiled as it gets hot, and what runs once for each body gets hot late: compiling is a tenth of the CPU time of
  // the first 400,000 events and a twentieth of the next million. 4,000 bodies are what one API server can send in 7 minutes.
  warmUp: 4000,
  bodies: 60,
  naiveBodies: 15,
  largeRounds: 5,
  largeBodies: 6,
  rulesWarmUp: 500,
  rulesBodies: 60,
};
const QUICK = {
  rounds: 3,
  // Fewer, and most of what is measured is the compiler.
  warmUp: 150,
  bodies: 20,
  naiveBodies: 4,
  largeRounds: 3,
  largeBodies: 1,
  rulesWarmUp: 15,
  rulesBodies: 10,
};

/**
 * Measures set-ups of ours: `standalone`, `services`, or both.
 *
 * @param bench `root` of the checkout, `quick`, `figures` to add to, `print`, `bundle(entry)` which gives a script
 */
export async function benchSystem(bench, names) {
  const scratch = mkdtempSync(join(tmpdir(), 'bench-'));
  const running = [];
  try {
    const targets = await startTargets({ ...bench, scratch, running }, names);
    const all = workloads(bench.root);
    const plan = bench.quick ? QUICK : FULL;
    await compare(bench, targets, { all, plan });
    if (names.includes('standalone')) await alone(bench, { targets, all, scratch, running });
    await memory(bench, targets);
  } finally {
    for (const process of running.reverse()) await process.stop();
    rmSync(scratch, { recursive: true, force: true });
  }
}

const TITLES = {
  metadata: 'as recorded: half of them reads, which the shipped rules ignore',
  kept: 'all kept by the shipped rules',
  bodies: 'level RequestResponse, all kept',
};

async function compare({ print, figures, quick }, targets, { all, plan }) {
  const names = Object.keys(targets);
  for (const name of names) {
    const count = name === 'naive' ? plan.naiveBodies : plan.warmUp;
    for (const kind of ['metadata', 'kept']) await round(targets[name], all[kind], count >> 1);
  }
  for (const [kind, workload] of Object.entries(all)) {
    if (quick && kind === 'metadata') continue;
    const isLarge = kind === 'bodies';
    if (isLarge) await notePeaks(figures, targets, 'ordinary_rss_peak_mib');
    const results = Object.fromEntries(names.map((name) => [name, []]));
    for (let i = 0; i < (isLarge ? plan.largeRounds : plan.rounds); i += 1) {
      for (const name of names) {
        const usual = name === 'naive' ? plan.naiveBodies : plan.bodies;
        const count = isLarge ? plan.largeBodies : usual;
        results[name].push(await round(targets[name], workload, count));
      }
    }
    print(`\nevents of ${workload.eventBytes.toFixed(0)} bytes, ${TITLES[kind]}`);
    print(
      '              CPU us/event              of the floor              events/s by the clock',
    );
    for (const name of names) report({ figures, print }, { kind, name, results });
  }
}

/** `kept` is what the plain names mean: every event goes all the way. */
const PREFIX = { metadata: 'metadata_', kept: '', bodies: 'bodies_' };

function report({ figures, print }, { kind, name, results }) {
  const us = results[name].map((one) => one.us);
  const ratios = us.map((one, i) => one / results.floor[i].us);
  const perSecond = results[name].map((one) => one.perSecond);
  const prefix = PREFIX[kind] + name;
  figures.add(`${prefix}_us`, us);
  if (name !== 'floor') {
    figures.add(`${prefix}_ratio`, ratios);
    figures.add(
      `${prefix}_of_naive`,
      us.map((one, i) => one / results.naive[i].us),
    );
    figures.add(`${prefix}_events_per_second`, perSecond);
  }
  print(
    [
      name.padEnd(12),
      shown(spread(us), 1).padStart(24),
      shown(spread(ratios)).padStart(24),
      spread(perSecond).median.toFixed(0).padStart(12),
    ].join(' '),
  );
}

/** What is asked of one process alone: latency, start, rest, many rules. */
async function alone(bench, { targets, all, scratch, running }) {
  const { print, figures, quick } = bench;
  await latency({ ...bench, scratch }, targets.standalone, all.kept);
  await rest(bench, targets.standalone);
  const context = { ...bench, scratch, running };
  await firstAnswer(context, all.kept);
  await manyRules(context, all.kept, quick ? QUICK : FULL);
  print('');
  figures.set('cpus', availableParallelism());
}

/** Latency at half of what was taken with all connections busy, on this machine, with the sender on it. */
async function latency({ print, figures, quick, scratch }, { url }, workload) {
  const sender = new Sender(url, 64);
  const perSecond = figures.values.standalone_events_per_second / 2;
  const options = { bodiesPerSecond: perSecond / EVENTS_PER_BODY, seconds: quick ? 2 : 30 };
  const { latencies, refused } = await openLoop(sender, () => workload.next(), options);
  sender.close();
  figures.set('standalone_ack_p50_ms', quantile(latencies, 0.5));
  figures.set('standalone_ack_p99_ms', quantile(latencies, 0.99));
  print(
    `\nanswers at half load (${perSecond.toFixed(0)} events/s, ${latencies.length} bodies): ` +
      `p50 ${quantile(latencies, 0.5).toFixed(1)} ms, p99 ${quantile(latencies, 0.99).toFixed(1)} ms, ${refused} refused`,
  );
  const synced = await syncTimes({ scratch, ...options });
  figures.set('sync_p99_ms', quantile(synced, 0.99));
  print(
    `the disk alone, as often: p50 ${quantile(synced, 0.5).toFixed(1)} ms, p99 ${quantile(synced, 0.99).toFixed(1)} ms`,
  );
}

/** What an answer waits for at least: how long writes of a compressed body take to be on the disk, at the same pace. */
async function syncTimes({ scratch, bodiesPerSecond, seconds }) {
  const file = await openFile(join(scratch, 'synced'), 'w');
  const times = [];
  const count = Math.ceil(bodiesPerSecond * Math.min(seconds, 10));
  for (let i = 0; i < count; i += 1) {
    const begun = performance.now();
    await file.write(BLOCK);
    await file.datasync();
    const took = performance.now() - begun;
    times.push(took);
    await sleep(Math.max(0, 1000 / bodiesPerSecond - took));
  }
  await file.close();
  return times;
}

async function rest({ print, figures, quick }, { processes }) {
  const seconds = quick ? 2 : 20;
  await sleep(1000);
  const before = await cpuUs(processes);
  await sleep(seconds * 1000);
  const percent = ((await cpuUs(processes)) - before) / 1e4 / seconds;
  figures.set('standalone_idle_cpu_percent', percent);
  print(`at rest for ${seconds} s: ${percent.toFixed(2)} % of one CPU`);
}

/** From the start of the process, on an empty folder, to the first 200. */
async function firstAnswer(context, workload) {
  const series = [];
  for (let i = 0; i < (context.quick ? 1 : 7); i += 1) {
    const begun = performance.now();
    const one = await startOurs(context, 'standalone', { folder: `first-${i}` });
    const status = await one.sender.post(workload.next());
    if (status !== 200) throw new Error(`the first body was answered ${status}`);
    series.push(performance.now() - begun);
    one.sender.close();
    await one.processes[0].stop();
    context.running.pop();
  }
  context.figures.add('standalone_first_answer_ms', series);
  context.print(`from start to the first 200: ${shown(spread(series), 0)} ms`);
}

const FEW_RULES = 20;
const MANY_RULES = [650, 1000];

/** Turn about with few rules, and one after the other: the more processes have run lately, the colder the caches. */
async function manyRules(context, workload, plan) {
  const few = await startOurs(context, 'standalone', await rulesOf(context, FEW_RULES));
  await round(few, workload, plan.rulesWarmUp);
  for (const count of context.quick ? MANY_RULES.slice(0, 1) : MANY_RULES) {
    const many = await startOurs(context, 'standalone', await rulesOf(context, count));
    await round(many, workload, plan.rulesWarmUp);
    const ratios = [];
    for (let i = 0; i < plan.rounds; i += 1) {
      const base = await round(few, workload, plan.rulesBodies);
      ratios.push((await round(many, workload, plan.rulesBodies)).us / base.us);
    }
    context.figures.add(`rules_${count}_of_${FEW_RULES}_ratio`, ratios);
    context.print(`${count} rules instead of ${FEW_RULES}: CPU x ${shown(spread(ratios))}`);
  }
}

/** A configuration folder with so many rules: the shipped ones, and others like those that people write. */
async function rulesOf({ root, scratch, ruleResource }, count) {
  const folder = `rules-${count}`;
  const configDir = join(scratch, folder, 'config');
  cpSync(join(root, 'config'), configDir, { recursive: true });
  const others = await ruleResource(count - 9);
  writeFileSync(join(configDir, 'rules/others.yaml'), JSON.stringify(others));
  return { folder, configDir };
}

/** Peaks up to now, under `<set-up or service>_<name>`. */
async function notePeaks(figures, targets, name) {
  for (const { key, process } of processesOf(targets)) {
    const { rssPeakBytes } = await process.usage();
    figures.set(`${key}_${name}`, rssPeakBytes / MIB);
  }
}

async function memory({ print, figures }, targets) {
  await notePeaks(figures, targets, 'rss_peak_mib');
  print('memory, MiB   peak, ordinary bodies   peak, 13 KB an event too   at the end');
  for (const { key, process } of processesOf(targets)) {
    const { rssBytes } = await process.usage();
    const peaks = ['ordinary_rss_peak_mib', 'rss_peak_mib'].map(
      (one) => figures.values[`${key}_${one}`],
    );
    const [ordinary, all, end] = [...peaks, rssBytes / MIB].map((mib) => mib.toFixed(0));
    print(
      `${process.name.padEnd(13)} ${ordinary.padStart(21)} ${all.padStart(26)} ${end.padStart(12)}`,
    );
  }
}

/** The processes of ours. */
function processesOf(targets) {
  return Object.entries(targets)
    .filter(([name]) => name !== 'floor' && name !== 'naive')
    .flatMap(([name, { processes }]) =>
      processes.map((process) => ({
        key: processes.length === 1 ? name : `${name}_${process.name}`,
        process,
      })),
    );
}
