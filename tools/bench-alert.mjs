// What alerts take: how fast a backlog drains into two Alertmanagers, in which order, and in how much memory; how long an
// alert takes from the POST of its event to Alertmanager's accept. Needs the program prometheus-alertmanager.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { quantile } from './bench-figures.mjs';
import { startProcess } from './bench-process.mjs';

const BACKLOG = 100_000;
const QUICK_BACKLOG = 5_000;
const BATCH = 500;
const EVENTS = 400;
const QUICK_EVENTS = 50;
const EVENT_EVERY_MS = 20;
/** DEBUG, INFO, WARNING: the last goes out first. */
const PRIORITIES = [1, 2, 3];
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
  const { signal } = new AbortController();
  await Promise.all(alertmanagers.map((one) => one.stop()));
  const urls = alertmanagers.map(({ url }) => url).join(',');
  const rule = parts.ruleStub([parts.sampleReceiver('alertmanager', urls)]);
  const service = await parts.opened(join(folder, 'data'), rule, { AUDITING_ALERT_RATE: '0' });
  let peakBytes = 0;
  const look = () => (peakBytes = Math.max(peakBytes, process.memoryUsage().rss));
  try {
    const raisingAt = performance.now();
    for (let batch = 0; batch < count / BATCH; batch += 1) {
      const priority = PRIORITIES[batch % PRIORITIES.length];
      const alerts = parts.sampleAlerts(`${priority}-${batch}`, BATCH, { priority });
      await service.api.raise(parts.sampleRequest(batch + 1, alerts), signal);
      look();
    }
    const raisePerSecond = (count * 1000) / (performance.now() - raisingAt);
    await Promise.all(alertmanagers.map((one) => one.start()));
    const waiting = async () => {
      look();
      const { receivers } = await service.api.listReceivers({}, signal);
      return receivers[0]?.pendingCount ?? count;
    };
    while ((await waiting()) === count) await sleep(10);
    const drainingAt = performance.now();
    const alreadyTaken = count - (await waiting());
    while ((await waiting()) > 0) await sleep(50);
    const drainPerSecond = ((count - alreadyTaken) * 1000) / (performance.now() - drainingAt);
    const { lost, doubled } = await compared(alertmanagers, count);
    print(`\nbacklog of ${count}: raised ${Math.round(raisePerSecond)}/s,`);
    print(
      `  drained ${Math.round(drainPerSecond)}/s into two instances, peak ${mib(peakBytes)} MiB`,
    );
    print(`  lost ${lost}, fingerprints doubled ${doubled}`);
    figures.set('alert_raise_per_second', raisePerSecond);
    figures.set('alert_drain_per_second', drainPerSecond);
    figures.set('alert_drain_peak_bytes', peakBytes);
    figures.set('alert_lost', lost);
    figures.set('alert_doubled', doubled);
  } finally {
    await service.stop();
  }
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
