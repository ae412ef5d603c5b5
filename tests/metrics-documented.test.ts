import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { allMetrics, type MetricFacts } from './registries';

/** Of Prometheus' own kind: the unit comes last, a count ends in `_total`. */
const NAME = /^auditing_(gateway|rule|archive|alert|operator|rpc|tracing)_[a-z0-9_]+$/;

let metrics: readonly MetricFacts[];
beforeAll(async () => {
  metrics = await allMetrics();
});

interface Row extends MetricFacts {
  readonly action: string;
}

/** The rows of the table in docs/metrics.md. */
function rows(): readonly Row[] {
  const text = readFileSync(join(__dirname, '../docs/metrics.md'), 'utf8');
  return text
    .split('\n')
    .filter((line) => line.startsWith('| `auditing_'))
    .map((line) => {
      const cells = line.split(/(?<!\\)\|/).map((cell) => cell.trim());
      const [, name = '', type = '', labels = '', help = '', action = ''] = cells;
      return {
        name: name.replaceAll('`', ''),
        type,
        labels: [...labels.matchAll(/`(\w+)`/g)].map(([, label = '']) => label),
        help,
        action,
      };
    });
}

test('docs/metrics.md lists every metric that the services register, as it is', () => {
  expect(rows().map(({ action: _, ...facts }) => facts)).toEqual(metrics);
});

test('it says of each what to do', () => {
  expect(rows().filter(({ action }) => action.length < 4)).toEqual([]);
});

test('names are of one kind, counts end in _total', () => {
  for (const { name, type } of metrics) {
    expect(name).toMatch(NAME);
    expect(name.endsWith('_total')).toBe(type === 'counter');
  }
});
