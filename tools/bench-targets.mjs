// The set-ups that benchmarks compare: how each is started, when it is done with what it got, and what that cost.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EVENTS_PER_BODY } from './bench-bodies.mjs';
import { Sender, closedLoop } from './bench-load.mjs';
import { cpuUs, startProcess } from './bench-process.mjs';

const CONNECTIONS = 4;
const POLL_MS = 100;
const SETTLE_TIMEOUT_MS = 60_000;

/** The processes that are compared, by name. */
export async function startTargets(context, names) {
  const ours = {};
  await Promise.all(
    names.map(async (name) => {
      ours[name] = await startOurs(context, name);
    }),
  );
  // All use one certificate, so that TLS costs all the same.
  const data = names[0] === 'standalone' ? 'data' : 'data/gateway-0';
  const tlsFolder = join(context.scratch, names[0], data, 'gateway/tls');
  const [floor, naive] = await Promise.all([
    startFloor(context, tlsFolder),
    startNaive(context, tlsFolder),
  ]);
  return { floor, naive, ...Object.fromEntries(names.map((name) => [name, ours[name]])) };
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
  const [rule, archive] = await Promise.all([
    start(context, { script, args: ['rule', join(context.root, 'config')] }),
    start(context, { script, args: ['archive', folder] }),
  ]);
  const { address: ruleAddress } = rule.addresses;
  const args = ['gateway', tlsFolder, ruleAddress, archive.addresses.address];
  const gateway = await start(context, { script, args });
  return target([gateway, rule, archive], gateway.addresses.webhook, () => Promise.resolve());
}

/**
 * Ours, as it is shipped: the built bundles, the shipped rules and settings, ports of its own.
 *
 * @param env `folder` and `configDir` instead of the usual ones; `gateways`, how many before the services. Default 1
 */
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
  const [rule, archive] = await Promise.all([app('rule'), app('archive')]);
  const addresses = {
    AUDITING_RULE_ADDRESS: rule.addresses.rule,
    AUDITING_ARCHIVE_ADDRESS: archive.addresses.archive,
  };
  const alert = await app('alert', addresses);
  addresses.AUDITING_ALERT_ADDRESS = alert.addresses.alert;
  const gateways = [];
  for (let i = 0; i < (env.gateways ?? 1); i += 1) {
    const folder = join(common.AUDITING_DATA_DIR, `gateway-${i}`);
    gateways.push(await app('gateway', { ...addresses, AUDITING_DATA_DIR: folder }));
  }
  const urls = gateways.map((one) => one.addresses.webhook);
  const processes = [...gateways, rule, archive, alert];
  return target(processes, urls, settled([...gateways, archive, alert]));
}

function target(processes, urls, isSettled) {
  const all = [urls].flat();
  return {
    processes,
    url: all[0],
    urls: all,
    settled: isSettled,
    sender: new Sender(all, CONNECTIONS),
  };
}

/** Waits until everything that was answered 200 is where it belongs: nothing is spared by being late. Throws after a while. */
function settled(processes) {
  return async (timeoutMs = SETTLE_TIMEOUT_MS) => {
    const late = performance.now() + timeoutMs;
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
export async function round({ processes, sender, settled: isSettled }, workload, count) {
  const before = await cpuUs(processes);
  const begun = performance.now();
  await closedLoop(sender, workload, { count, connections: CONNECTIONS });
  await isSettled();
  const seconds = (performance.now() - begun) / 1000;
  const events = count * EVENTS_PER_BODY;
  return { us: ((await cpuUs(processes)) - before) / events, perSecond: events / seconds };
}
