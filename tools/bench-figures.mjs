// What all benchmarks share: CPU time, and figures with their spread.

/** CPU time of this process in milliseconds: what others do on the machine does not count. */
export function cpuOf(work) {
  const before = process.cpuUsage();
  work();
  return cpuMsSince(before);
}

/** As cpuOf, for work that waits; threads of the process count too. */
export async function cpuOfAsync(work) {
  const before = process.cpuUsage();
  await work();
  return cpuMsSince(before);
}

function cpuMsSince(before) {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/** Median, lowest and highest of a series. */
export function spread(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return { median: sorted[sorted.length >> 1], lowest: sorted[0], highest: sorted.at(-1) };
}

/** A spread, as tables show it. */
export function shown({ median, lowest, highest }, digits = 2) {
  return `${median.toFixed(digits)} (${lowest.toFixed(digits)} to ${highest.toFixed(digits)})`;
}

/** The value below which a share of all values lies. */
export function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

/** Figures under their names, as they stand in the JSON file: `name` and, beside it, `name_spread`. */
export class Figures {
  values = {};

  /** A figure that was measured several times. */
  add(name, series) {
    const { median, lowest, highest } = Array.isArray(series) ? spread(series) : series;
    this.values[name] = median;
    this.values[`${name}_spread`] = [lowest, highest];
  }

  /** A figure that is what it is. */
  set(name, value) {
    this.values[name] = value;
  }
}
