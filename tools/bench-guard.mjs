// Compares ratios of a benchmark with those of the baseline: `node tools/bench-guard.mjs FILE [--write]`. It says what has
// become dearer, and never fails: on a shared machine timing proves nothing. --write makes FILE the baseline.
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

const BASELINE = new URL('bench-baseline.json', import.meta.url);
/** What a ratio may grow by without being mentioned: quick runs on busy machines differ by a third. */
const MARGIN = 1.5;
/** Ratios and sizes alone: microseconds are those of one machine. */
const GUARDED =
  /^(standalone_ratio|services_ratio|bodies_(standalone|services)_ratio|rules_\w+_ratio|edge_\w+_of_parse|\w+_rss_peak_mib|archive_bytes_per_event)$/;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { write: { type: 'boolean', default: false } },
});
const [file] = positionals;
if (file === undefined) {
  console.error('expected the file that `npm run bench -- all --json FILE` wrote');
  process.exit(2);
}
const measured = Object.fromEntries(
  Object.entries(JSON.parse(readFileSync(file, 'utf8'))).filter(([name]) => GUARDED.test(name)),
);
if (values.write) {
  const rounded = Object.entries(measured).map(([name, value]) => [name, Number(value.toFixed(3))]);
  writeFileSync(BASELINE, `${JSON.stringify(Object.fromEntries(rounded), null, 2)}\n`);
  process.exit();
}

const baseline = JSON.parse(readFileSync(BASELINE, 'utf8'));
const grown = Object.entries(measured).filter(
  ([name, value]) => value > (baseline[name] ?? Number.POSITIVE_INFINITY) * MARGIN,
);
for (const [name, value] of grown) {
  console.log(
    `${name}: ${value.toFixed(2)}, ${(value / baseline[name]).toFixed(1)} times the baseline of ${baseline[name]}`,
  );
}
console.log(
  grown.length === 0
    ? `none of ${Object.keys(measured).length} figures is more than ${MARGIN} times its baseline`
    : 'dearer than before? Measure again on a quiet machine, then profile (docs/performance.md)',
);
