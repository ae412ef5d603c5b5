// What alerts take: how fast a backlog drains into two Alertmanagers, in which order, and in how much memory; how long an
// alert takes from the POST of its event to Alertmanager's accept. Needs the program prometheus-alertmanager.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { quantile } from './bench-figures.mjs';
import { startProcess } from './bench-process.mjs';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc');

const BACKLOG = 100_000;
const QUICK_BACKLOG = 5_000;
const BATCH = 500;
const EVENTS = 400;
const QUICK_EVENTS = 50;
const EVENT_EVERY_MS = 20;
/** DEBUG, INFO, WARNING: the last goes out first. */
const PRIORITIES = [1, 2, 3];
const NO_FILTER = {
  rule: '',
  user: '',
  namespace: '',
  resource: '',
  name: '',
  receiver: '',
  state: 0,
};
const MODULES = {
  opened: '@auditing/alert/testing/opened',
  ruleStub: '@auditing/alert/testing/rule-stub',
  sampleAlerts: '@auditing/alert/testing/samples',
  sampleReceiver: '@auditing/alert/testing/samples',
  sampleRequest: '@auditing/alert/testing/samples',
  startAlertmanager: '@auditing/alert/testing/alertmanager',
};

export async function benchAlert({ root, quick, figures, load, print }) {
  const parts = await load(MODULES);
  const folder = mkdtempSync(join(tmpdir(), 'bench-alert-'));
  const alertmanagers = [];
  try {
    for (const name of ['a', 'b']) {
      alertmanagers.push(await parts.startAlertmanager(join(folder, name)));
    }
    await drain({ parts, folder, alertmanagers, figures, print }, quick ? QUICK_BACKLOG : BACKLOG);
    await latency({ root, folder, alertmanagers, figures, print }, quick ? QUICK_EVENTS : EVENTS);
  } finally {
    await Promise.all(alertmanagers.map((one) => one.stop()));
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Alertmanager is away while alerts are raised, then comes back. */
async function drain({ parts, folder, alertmanagers, figures, print }, count) {
  await Promise.all(alertmanagers.map((one) => one.stop()));
  const urls = alertmanagers.map(({ url }) => url).join(',');
  const rule = parts.ruleStub([parts.sampleReceiver('alertmanager', urls)]);
  const service = await parts.opened(join(folder, 'data'), rule, {
    AUDITING_ALERT_RATE: '0',
  });
  try {
    const raised = await raiseAll(service.api, parts, count);
    const drained = await drainAll(service.api, alertmanagers, count);
    const { lost, doubled } = await compared(alertmanagers, count);
    const isOrdered = areOrdered(await listed(service.api));
    print(`\nbacklog of ${count}: raised ${Math.round(raised.perSecond)}/s,`);
    print(`  each takes ${Math.round(raised.bytesPerAlert)} bytes of memory while it waits,`);
    print(`  drained ${Math.round(drained.perSecond)}/s into two instances,`);
    print(`  ${Math.round(drained.cpuUs)} us of CPU time each, peak ${mib(drained.peakBytes)} MiB`);
    print(`  by priority: ${isOrdered}; lost ${lost}, fingerprints doubled ${doubled}`);
    figures.set('alert_raise_per_second', raised.perSecond);
    figures.set('alert_pending_bytes', raised.bytesPerAlert);
    figures.set('alert_drain_per_second', drained.perSecond);
    figures.set('alert_drain_cpu_us', drained.cpuUs);
    figures.set('alert_drain_peak_bytes', drained.peakBytes);
    figures.set('alert_in_order', Number(isOrdered));
    figures.set('alert_lost', lost);
    figures.set('alert_doubled', doubled);
  } finally {
    await service.stop();
  }
}

async function raiseAll(api, parts, count) {
  const { signal } = new AbortController();
  const before = heldBytes();
  const startedAt = performance.now();
  for (let batch = 0; batch < count / BATCH; batch += 1) {
    const priority = PRIORITIES[batch % PRIORITIES.length];
    const alerts = parts.sampleAlerts(`${priority}-${batch}`, BATCH, { priority });
    await api.raise(parts.sampleRequest(batch + 1, alerts), signal);
  }
  const perSecond = (count * 1000) / (performance.now() - startedAt);
  return { perSecond, bytesPerAlert: (heldBytes() - before) / count };
}

async function drainAll(api, alertmanagers, count) {
  const { signal } = new AbortController();
  let peakBytes = 0;
  const waiting = async () => {
    peakBytes = Math.max(peakBytes, process.memoryUsage().rss);
    const { receivers } = await api.listReceivers({}, signal);
    return receivers[0]?.pendingCount ?? count;
  };
  await Promise.all(alertmanagers.map((one) => one.start()));
  while ((await waiting()) === count) await sleep(10);
  const startedAt = performance.now();
  const cpuAtStart = process.cpuUsage();
  const alreadyTaken = count - (await waiting());
  while ((await waiting()) > 0) await sleep(50);
  const drainedCount = count - alreadyTaken;
  const { user, system } = process.cpuUsage(cpuAtStart);
  const perSecond = (drainedCount * 1000) / (performance.now() - startedAt);
  return { perSecond, cpuUs: (user + system) / drainedCount, peakBytes };
}

/** Heap and buffers that are in use, garbage aside. */
function heldBytes() {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** What the instances have: one alert for each that was raised. The second may get its own a moment later. */
async function compared(alertmanagers, count) {
  let [lost, doubled] = [0, 0];
  for (const one of alertmanagers) {
    let alerts = [];
    for (let tries = 0; tries < 100 && alerts.length < count; tries += 1) {
      if (tries > 0) await sleep(200);
      alerts = await one.alerts();
    }
    const ids = new Set(alerts.map(({ annotations: { rule, eventKey } }) => `${rule} ${eventKey}`));
    lost = Math.max(lost, count - ids.size);
    doubled += alerts.length - ids.size;
  }
  return { lost, doubled };
}

async function listed(api) {
  const { signal } = new AbortController();
  const found = [];
  let cursor = '';
  do {
    const request = { kinds: [], group: Buffer.alloc(0), ...NO_FILTER, limit: 1000, cursor };
    const { alerts, nextCursor } = await api.list(request, signal);
    found.push(...alerts);
    cursor = nextCursor;
  } while (cursor !== '');
  return found;
}

/** True if no alert was delivered after one of a lower priority. Those of one request have one time. */
function areOrdered(alerts) {
  const times = (priority) =>
    alerts
      .filter(({ alert }) => alert.priority === priority)
      .map(
        ({ deliveries: [{ deliveredAt }] }) =>
          Number(deliveredAt.seconds) * 1e9 + deliveredAt.nanos,
      )
      .sort((a, b) => a - b);
  const [third, second, first] = PRIORITIES.map(times);
  return first.at(-1) <= second[0] && second.at(-1) <= third[0];
}

/** From the gateway's receipt, just before it answers 200, to the accept, through the whole system. */
async function latency({ root, folder, alertmanagers, figures, print }, count) {
  const config = join(folder, 'config');
  cpSync(join(root, 'config'), config, { recursive: true });
  const file = join(config, 'webhook.yaml');
  const receiver = `{ name: real, type: alertmanager, config: { url: '${alertmanagers[0].url}' } }`;
  const text = readFileSync(file, 'utf8').replace('receivers: []', `receivers: [${receiver}]`);
  writeFileSync(file, text.replace('k8sAuditingEnabled: false', 'k8sAuditingEnabled: true'));
  const standalone = await startProcess({
    root,
    script: 'apps/standalone/dist/main.js',
    env: {
      AUDITING_DATA_DIR: join(folder, 'standalone'),
      AUDITING_CONFIG_DIR: config,
      AUDITING_WEBHOOK_PORT: '0',
      AUDITING_WEBHOOK_TLS: 'off',
      AUDITING_API_PORT: '0',
      AUDITING_ADMIN_PORT: '0',
      AUDITING_GRPC_LISTEN: '127.0.0.1:0',
    },
  });
  try {
    for (let place = 0; place < count; place += 1) {
      const body = JSON.stringify(execEvent(place));
      const response = await fetch(standalone.addresses.webhook, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      });
      if (response.status !== 200) throw new Error(`POST answered ${response.status}`);
      await sleep(EVENT_EVERY_MS);
    }
    const times = await acceptTimes(standalone.addresses.api, count);
    const [p50, p99] = [quantile(times, 0.5), quantile(times, 0.99)];
    print(`\nfrom receipt to Alertmanager's accept, ${times.length} alerts one by one:`);
    print(`  p50 ${p50} ms, p99 ${p99} ms`);
    figures.set('alert_accept_p50_ms', p50);
    figures.set('alert_accept_p99_ms', p99);
  } finally {
    await standalone.stop();
  }
}

async function acceptTimes(api, count) {
  const url = new URL('/apis/query.auditing.kubesphere.io/v1alpha1/alerts?limit=1000', api);
  for (;;) {
    const { alerts } = await (await fetch(url)).json();
    const taken = alerts.filter(({ deliveries }) => deliveries[0]?.deliveredAt);
    if (taken.length >= count) {
      return taken.map(
        ({ event, deliveries }) =>
          Date.parse(deliveries[0].deliveredAt) - Date.parse(event.receivedAt),
      );
    }
    await sleep(100);
  }
}

function execEvent(place) {
  const at = new Date().toISOString().replace('Z', '000Z');
  return {
    kind: 'Event',
    apiVersion: 'audit.k8s.io/v1',
    level: 'Metadata',
    auditID: createHash('md5').update(String(place)).digest('hex'),
    stage: 'ResponseComplete',
    requestURI: `/api/v1/namespaces/bench/pods/web-${place}/exec`,
    verb: 'create',
    user: { username: 'bench', groups: ['system:authenticated'] },
    objectRef: {
      resource: 'pods',
      namespace: 'bench',
      name: `web-${place}`,
      apiVersion: 'v1',
      subresource: 'exec',
    },
    responseStatus: { code: 101 },
    requestReceivedTimestamp: at,
    stageTimestamp: at,
  };
}

function mib(bytes) {
  return Math.round(bytes / 1024 ** 2);
}
