// What a whole system costs: CPU time an event, all its processes together, from the socket to the archive, beside a
// floor and a textbook design that take the same bodies turn about with it, so that all see the same machine.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync, cpSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EVENTS_PER_BODY, workloads } from './bench-bodies.mjs';
import { quantile, shown, spread } from './bench-figures.mjs';
import { Sender, closedLoop, openLoop } from './bench-load.mjs';
import { cpuUs, startProcess } from './bench-process.mjs';

const CONNECTIONS = 4;
const POLL_MS = 100;
const SETTLE_TIMEOUT_MS = 60_000;
const MIB = 2 ** 20;

/** How often, and how many bodies at once: a round must be long beside what its beginning and end cost. */
const FULL = {
  rounds: 9,
  // Code is compiled as it gets hot: some 200,000 events until little more is.
  warmUp: 500,
  bodies: 60,
  naiveBodies: 15,
  largeRounds: 5,
  largeBodies: 6,
};
const QUICK = { rounds: 3, warmUp: 40, bodies: 25, naiveBodies: 6, largeRounds: 2, largeBodies: 2 };

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

/** The processes that are compared, by name. */
async function startTargets(context, names) {
  const targets = {};
  const ours = {};
  for (const name of names) ours[name] = await startOurs(context, name);
  // All use one certificate, so that TLS costs all the same.
  const tlsFolder = join(context.scratch, names[0], 'data/gateway/tls');
  targets.floor = await startFloor(context, tlsFolder);
  targets.naive = await startNaive(context, tlsFolder);
  return { ...targets, ...ours };
}

async function start({ root, running }, what) {
  const process = await startProcess({ root, ...what });
  running.push(process);
  return process;
}

async function startFloor(context, tlsFolder) {
  const process = await start(context, { script: 'tools/bench-floor.mjs', args: [tlsFolder] });
  return target([process], process.addresses.webhook, () => Promise.resolve());
}

async function startNaive(context, tlsFolder) {
  const script = await context.bundle('tools/bench-naive.mjs');
  const folder = join(context.scratch, 'naive');
  mkdirSync(folder);
  const rule = await start(context, { script, args: ['rule', join(context.root, 'config')] });
  const archive = await start(context, { script, args: ['archive', folder] });
  const { address: ruleAddress } = rule.addresses;
  const args = ['gateway', tlsFolder, ruleAddress, archive.addresses.address];
  const gateway = await start(context, { script, args });
  return target([gateway, rule, archive], gateway.addresses.webhook, () => Promise.resolve());
}

/** Ours, as it is shipped: the built bundles, the shipped rules and settings, ports of its own. */
export async function startOurs(context, name, env = {}) {
  const common = {
    AUDITING_DATA_DIR: join(context.scratch, env.folder ?? name, 'data'),
    AUDITING_CONFIG_DIR: env.configDir ?? join(context.root, 'config'),
    AUDITING_WEBHOOK_HOST: '127.0.0.1',
    AUDITING_WEBHOOK_PORT: '0',
    AUDITING_API_PORT: '0',
    AUDITING_ADMIN_PORT: '0',
    AUDITING_GRPC_LISTEN: '127.0.0.1:0',
  };
  const app = (one, addresses) =>
    start(context, { script: `apps/${one}/dist/main.js`, env: { ...common, ...addresses } });
  if (name === 'standalone') {
    const process = await app('standalone');
    return target([process], process.addresses.webhook, settled([process]));
  }
  const rule = await app('rule');
  const addresses = { AUDITING_RULE_ADDRESS: rule.addresses.rule };
  const archive = await app('archive');
  addresses.AUDITING_ARCHIVE_ADDRESS = archive.addresses.archive;
  const alert = await app('alert', addresses);
  addresses.AUDITING_ALERT_ADDRESS = alert.addresses.alert;
  const gateway = await app('gateway', addresses);
  const processes = [gateway, rule, archive, alert];
  return target(processes, gateway.addresses.webhook, settled([gateway, archive, alert]));
}

function target(processes, url, isSettled) {
  return { processes, url, settled: isSettled, sender: new Sender(url, CONNECTIONS) };
}

/** Waits until everything that was answered 200 is where it belongs: nothing is spared by being late. */
function settled(processes) {
  return async () => {
    const late = performance.now() + SETTLE_TIMEOUT_MS;
    for (;;) {
      const at = await metricsOf(processes);
      const gateway = (name) => at[`auditing_gateway_${name}`] ?? 0;
      const decided = ['ignored', 'disabled', 'kept', 'refused'].reduce(
        (sum, what) => sum + gateway(`events_${what}_total`),
        0,
      );
      const archived =
        at.auditing_archive_events_archived_total + at.auditing_archive_events_duplicate_total;
      const isDone =
        decided === gateway('events_received_total') &&
        archived === gateway('events_kept_total') &&
        gateway('batches_in_flight') === 0;
      if (isDone) return;
      if (performance.now() > late) throw new Error(`not settled: ${JSON.stringify(at)}`);
      await sleep(POLL_MS);
    }
  };
}

/** The sums of all series of each metric of some processes. */
export async function metricsOf(processes) {
  const sums = {};
  for (const { addresses } of processes) {
    const text = await (await fetch(new URL('/metrics', addresses.admin))).text();
    for (const line of text.split('\n')) {
      const [, name, value] = /^(auditing_\w+)(?:\{.*\})? (\S+)$/.exec(line) ?? [];
      if (name) sums[name] = (sums[name] ?? 0) + Number(value);
    }
  }
  return sums;
}

/** One round: CPU time an event, and events a second by the clock. */
async function round({ processes, sender, settled: isSettled }, workload, count) {
  const before = await cpuUs(processes);
  const begun = performance.now();
  await closedLoop(sender, workload, { count, connections: CONNECTIONS });
  await isSettled();
  const seconds = (performance.now() - begun) / 1000;
  const events = count * EVENTS_PER_BODY;
  return { us: ((await cpuUs(processes)) - before) / events, perSecond: events / seconds };
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
  await latency(bench, targets.standalone, all.kept);
  await rest(bench, targets.standalone);
  const context = { ...bench, scratch, running };
  await firstAnswer(context, all.kept);
  await manyRules(context, all.kept, quick ? QUICK : FULL);
  print('');
  figures.set('cpus', availableParallelism());
}

/** Latency at half of what was taken with all connections busy, on this machine, with the sender on it. */
async function latency({ print, figures, quick }, { url }, workload) {
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
const MANY_RULES = 650;

async function manyRules(context, workload, plan) {
  const few = await startOurs(context, 'standalone', await rulesOf(context, FEW_RULES));
  const many = await startOurs(context, 'standalone', await rulesOf(context, MANY_RULES));
  for (const one of [few, many]) await round(one, workload, plan.warmUp);
  const ratios = [];
  for (let i = 0; i < plan.rounds; i += 1) {
    const base = await round(few, workload, plan.bodies);
    ratios.push((await round(many, workload, plan.bodies)).us / base.us);
  }
  context.figures.add('rules_650_of_20_ratio', ratios);
  context.print(`${MANY_RULES} rules instead of ${FEW_RULES}: CPU x ${shown(spread(ratios))}`);
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

async function memory({ print, figures }, targets) {
  print('memory      peak MiB  at the end MiB');
  for (const [name, { processes }] of Object.entries(targets)) {
    if (name === 'floor' || name === 'naive') continue;
    for (const process of processes) {
      const { rssBytes, rssPeakBytes } = await process.usage();
      const key = processes.length === 1 ? name : `${name}_${process.name}`;
      figures.set(`${key}_rss_peak_mib`, rssPeakBytes / MIB);
      print(
        `${process.name.padEnd(11)} ${(rssPeakBytes / MIB).toFixed(0).padStart(8)} ${(rssBytes / MIB).toFixed(0).padStart(15)}`,
      );
    }
  }
}
