// A steady load for a long time: does the standalone keep up, does its spool stay empty, does its memory stay flat?
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
/** Before it, code is still compiled and caches are filled. */
const WARM_SECONDS = 30;

/** @param bench `root`, `quick`, `seconds` and `rate` (events a second), `figures`, `print` */
export async function benchSustained({ root, quick, seconds, rate, figures, print }) {
  const wanted = { seconds: seconds ?? (quick ? 20 : 600), rate: rate ?? (quick ? 5_000 : 20_000) };
  const scratch = mkdtempSync(join(tmpdir(), 'bench-'));
  const running = [];
  try {
    const target = await startOurs({ root, scratch, running }, 'standalone');
    const workload = mixedWorkload(root, LARGE_SHARE);
    print(
      `\n${wanted.rate} events/s for ${wanted.seconds} s, ${workload.eventBytes.toFixed(0)} bytes each`,
    );
    print('   second   CPU %   RSS MiB   spool MiB   refused');
    const watch = startWatch(target, { print, every: Math.max(5, wanted.seconds / 20) });
    const sender = new Sender(target.url, CONNECTIONS);
    const { latencies, refused } = await openLoop(sender, () => workload.next(), {
      bodiesPerSecond: wanted.rate / EVENTS_PER_BODY,
      seconds: wanted.seconds,
      onRefused: watch.refused,
    });
    const samples = await watch.end();
    sender.close();
    await target.settled();
    report({ figures, print }, { samples, latencies, refused, ...wanted });
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
    const [{ rssBytes }] = await Promise.all(processes.map((one) => one.usage()));
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
  const warm = samples.filter(({ second }) => second > WARM_SECONDS);
  const settled = warm.length > 1 ? warm : samples;
  const rss = settled.map(({ rssMib }) => rssMib);
  // How memory goes on: the mean of the last quarter beside that of the first.
  const quarter = Math.max(1, rss.length >> 2);
  const mean = (values) => values.reduce((sum, one) => sum + one, 0) / values.length;
  const growth = mean(rss.slice(-quarter)) / mean(rss.slice(0, quarter));
  const spoolMib = Math.max(...settled.map(({ spoolMib: one }) => one));
  const cpu = mean(settled.map(({ cpuPercent }) => cpuPercent));
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
