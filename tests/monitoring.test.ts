import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { allMetrics } from './registries';

const COMPONENT = join(__dirname, '../k8s/components/monitoring');
/** Of kube-apiserver and of every Node.js process. */
const OF_OTHERS = ['apiserver_audit_error_total', 'process_resident_memory_bytes'];

interface AlertingRule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: Readonly<Record<string, string>>;
}
interface Panel {
  readonly title: string;
  readonly type: string;
  readonly gridPos: {
    readonly x: number;
    readonly y: number;
    readonly w: number;
    readonly h: number;
  };
  readonly targets?: readonly { readonly expr: string }[];
}

const { spec } = parse(readFileSync(join(COMPONENT, 'prometheus-rule.yaml'), 'utf8')) as {
  spec: { groups: readonly { rules: readonly AlertingRule[] }[] };
};
const alerts = spec.groups.flatMap(({ rules }) => rules);
const { panels } = JSON.parse(readFileSync(join(COMPONENT, 'dashboard.json'), 'utf8')) as {
  panels: readonly Panel[];
};

/** Labels by metric; histograms also under the names of their series. */
const known = new Map<string, readonly string[]>(OF_OTHERS.map((name) => [name, ['plugin']]));
beforeAll(async () => {
  for (const { name, type, labels } of await allMetrics()) {
    if (type !== 'histogram') known.set(name, labels);
    else for (const end of ['bucket', 'sum', 'count']) known.set(`${name}_${end}`, labels);
  }
});

/** Labels that Prometheus itself adds. */
const ADDED = ['pod', 'job', 'namespace', 'instance', 'le', 'code'];

function checkQuery(query: string): void {
  const names = query.match(/\b(?:auditing|apiserver|process)_\w+/g) ?? [];
  expect([query, names.length > 0]).toEqual([query, true]);
  for (const name of names) expect([name, known.has(name)]).toEqual([name, true]);
  const labels = names.flatMap((name) => known.get(name) ?? []);
  const used = [
    ...[...query.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(/, */)),
    ...[...query.matchAll(/[{,](\w+)(?:=~|!=|!~|=)"/g)].map(([, label = '']) => label),
  ];
  for (const label of used) expect([...labels, ...ADDED]).toContain(label);
  const open = query.replace(/"[^"]*"/g, '').split('(').length;
  expect(query.replace(/"[^"]*"/g, '').split(')')).toHaveLength(open);
}

test.each(alerts.map((rule) => [rule.alert, rule] as const))(
  'the alert %s asks for metrics that there are, and says what to do',
  (_, { expr, labels, annotations }) => {
    checkQuery(expr);
    expect(['info', 'warning', 'critical']).toContain(labels.severity);
    expect(annotations['summary']).toBeTruthy();
    expect(annotations['description']?.length).toBeGreaterThan(40);
  },
);

test('names of alerts are unique', () => {
  expect(new Set(alerts.map(({ alert }) => alert)).size).toBe(alerts.length);
});

test('every panel of the dashboard asks for metrics that there are', () => {
  const queries = panels.flatMap(({ targets }) => targets?.map(({ expr }) => expr) ?? []);
  expect(queries.length).toBeGreaterThan(20);
  for (const query of queries) checkQuery(query);
});

test('panels of the dashboard have titles and do not lie over each other', () => {
  const taken = new Set<string>();
  for (const { title, gridPos } of panels) {
    expect(title).toBeTruthy();
    expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1)
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
        expect(taken.has(`${x}/${y}`)).toBe(false);
        taken.add(`${x}/${y}`);
      }
  }
});
