// A steady load for a long time: does the standalone keep up, does its spool stay empty, does its memory stay flat? And with
// --gateways NUMBER the four services with so many gateways: then the memory is that of the process which takes most.
// `npm run bench -- sustained --seconds 600 --rate 20000`: so many events a second, 5 % of them of level RequestResponse
// and 13 KB, the others as recorded. With --quick 20 s of 5,000 a second.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clearInterval, setInterval } from 'node:timers';
import { EVENTS_PER_BODY, mixedWorkload } from './bench-bodies.mjs';
import { quantile } from './bench-figures.mjs';
import { Sender, openLoop } from './bench-load.mjs';
import { cpuUs } from './bench-process.mjs';
import { metricsOf, startOurs } from './bench-targets.mjs';

const CONNECTIONS = 64;
const LARGE_SHARE = 0.05;
const MIB = 2 ** 20;
/**
 * So long a share of the load comes first, unless `--quick`: what has just been started compiles for its first seconds, and one that
 * has fallen behind has more to do than one that keeps up.
 */
const WARM_SECONDS = 30;
const WARM_SHARE = 1 / 5;

/** What has fallen behind may take as long as the load did. */
const BEHIND_MAX_MS = 15 * 60_000;

/** @param bench `root`, `quick`, `seconds`, `rate` (events a second), `gateways`, `figures`, `print` */
export async function benchSustained({ root, quick, seconds, rate, gateways, figures, print }) {
  const wanted = { seconds: seconds ?? (quick ? 20 : 600), rate: rate ?? (quick ? 5_000 : 20_000) };
  const scratch = mkdtempSync(join(tmpdir(), 'bench-'));
  const running = [];
  try {
    const target = await startOurs(
      { root, scratch, running },
      gateways ? 'services' : 'standalone',
      { gateways },
    );
    const workload = mixedWorkload(root, LARGE_SHARE);
    print(
      `\n${wanted.rate} events/s for ${wanted.seconds} s, ${workload.eventBytes.toFixed(0)} bytes each`,
    );
    const sender = new Sender(target.urls, CONNECTIONS);
    const bodiesPerSecond = wanted.rate / EVENTS_PER_BODY;
    if (!quick) {
      print(`(${WARM_SECONDS} s at a fifth of it first)`);
      const warmUp = { bodiesPerSecond: bodiesPerSecond * WARM_SHARE, seconds: WARM_SECONDS };
      await openLoop(sender, () => workload.next(), warmUp);
    }
    print('   second   CPU %   RSS MiB   spool MiB   refused');
    const watch = startWatch(target, { print, every: Math.max(5, wanted.seconds / 20) });
    const { latencies, refused } = await openLoop(sender, () => workload.next(), {
      bodiesPerSecond,
      seconds: wanted.seconds,
      onRefused: watch.refused,
    });
    const samples = await watch.end();
    sender.close();
    report({ figures, print }, { samples, latencies, refused, ...wanted });
    const waited = performance.now();
    await target.settled(BEHIND_MAX_MS);
    const behind = (performance.now() - waited) / 1000;
    figures.set('sustained_behind_seconds', behind);
    print(`all of it archived ${behind.toFixed(1)} s after the last answer`);
  } finally {
    for (const process of running.reverse()) await process.stop();
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Looks at the process now and then. */
function startWatch({ processes }, { print, every }) {
  const samples = [];
  const begun = performance.now();
  const cpuAtStart = cpuUs(processes);
  let cpuBefore;
  let atBefore = begun;
  let refusedCount = 0;
  const look = async () => {
    // Of several processes that which takes most: the limit is for each.
    const usages = await Promise.all(processes.map((one) => one.usage()));
    const rssBytes = Math.max(...usages.map((usage) => usage.rssBytes));
    cpuBefore ??= await cpuAtStart;
    const cpu = await cpuUs(processes);
    const now = performance.now();
    const metrics = await metricsOf(processes);
    const sample = {
      second: (now - begun) / 1000,
      cpuPercent: (cpu - cpuBefore) / 10 / (now - atBefore),
      rssMib: rssBytes / MIB,
      spoolMib: (metrics.auditing_gateway_spool_bytes ?? 0) / MIB,
    };
    cpuBefore = cpu;
    atBefore = now;
    samples.push(sample);
    const cells = [sample.second, sample.cpuPercent, sample.rssMib, sample.spoolMib, refusedCount];
    print(cells.map((cell) => cell.toFixed(0).padStart(9)).join(' '));
  };
  let looking = Promise.resolve();
  const timer = setInterval(
    () => (looking = looking.then(look).catch(() => undefined)),
    every * 1000,
  );
  return {
    refused: () => (refusedCount += 1),
    async end() {
      clearInterval(timer);
      await looking;
      return samples;
    },
  };
}

function report({ figures, print }, { samples, latencies, refused, rate }) {
  const rss = samples.map(({ rssMib }) => rssMib);
  // How memory goes on: the mean of the last quarter beside that of the first.
  const quarter = Math.max(1, rss.length >> 2);
  const mean = (values) => values.reduce((sum, one) => sum + one, 0) / values.length;
  const growth = mean(rss.slice(-quarter)) / mean(rss.slice(0, quarter));
  const spoolMib = Math.max(...samples.map(({ spoolMib: one }) => one));
  const cpu = mean(samples.map(({ cpuPercent }) => cpuPercent));
  figures.set('sustained_events_per_second', rate);
  figures.set('sustained_refused', refused);
  figures.set('sustained_us', (cpu * 1e4) / rate);
  figures.set('sustained_rss_peak_mib', Math.max(...rss));
  figures.set('sustained_rss_growth_ratio', growth);
  figures.set('sustained_spool_peak_mib', spoolMib);
  figures.set('sustained_ack_p99_ms', quantile(latencies, 0.99));
  print(
    `${refused} of ${latencies.length} bodies refused; ${((cpu * 1e4) / rate).toFixed(1)} us CPU an event; ` +
      `RSS at most ${Math.max(...rss).toFixed(0)} MiB, last quarter x ${growth.toFixed(2)} of the first; ` +
      `spool at most ${spoolMib.toFixed(0)} MiB; p50 ${quantile(latencies, 0.5).toFixed(1)} ms, ` +
      `p99 ${quantile(latencies, 0.99).toFixed(1)} ms`,
  );
}
