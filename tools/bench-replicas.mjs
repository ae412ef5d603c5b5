// What more gateways cost: one, two and four of them before one rule, one archive and one alert service.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { workloads } from './bench-bodies.mjs';
import { shown, spread } from './bench-figures.mjs';
import { round, startOurs } from './bench-targets.mjs';

const COUNTS = [1, 2, 4];
const FULL = { rounds: 7, warmUp: 400, bodies: 48 };
const QUICK = { rounds: 2, warmUp: 40, bodies: 16 };

/** @param bench `root`, `quick`, `figures`, `print` */
export async function benchReplicas({ root, quick, figures, print }) {
  const { rounds, warmUp, bodies } = quick ? QUICK : FULL;
  const scratch = mkdtempSync(join(tmpdir(), 'bench-'));
  const running = [];
  try {
    const { kept } = workloads(root);
    const targets = [];
    for (const gateways of COUNTS) {
      const folder = `gateways-${gateways}`;
      targets.push(await startOurs({ root, scratch, running }, 'services', { folder, gateways }));
    }
    for (const target of targets) await round(target, kept, warmUp);
    const us = COUNTS.map(() => []);
    for (let i = 0; i < rounds; i += 1) {
      for (const [place, target] of targets.entries()) {
        us[place].push((await round(target, kept, bodies)).us);
      }
    }
    print('\ngateways   CPU us/event              of one gateway');
    for (const [place, gateways] of COUNTS.entries()) {
      const ratios = us[place].map((one, i) => one / us[0][i]);
      figures.add(`gateways_${gateways}_us`, us[place]);
      if (gateways > 1) figures.add(`gateways_${gateways}_ratio`, ratios);
      const cells = [shown(spread(us[place]), 1), shown(spread(ratios))];
      print(`${String(gateways).padEnd(9)} ${cells.map((cell) => cell.padStart(24)).join(' ')}`);
    }
  } finally {
    for (const process of running.reverse()) await process.stop();
    rmSync(scratch, { recursive: true, force: true });
  }
}
