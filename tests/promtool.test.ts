import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeWith } from '@auditing/service/testing/optional';
import { parse, stringify } from 'yaml';

const CASES = join(__dirname, 'testdata/alerts.yaml');
const RULES = join(__dirname, '../k8s/components/monitoring/prometheus-rule.yaml');

const { spec } = parse(readFileSync(RULES, 'utf8')) as {
  spec: { groups: readonly { rules: readonly { alert: string }[] }[] };
};

test('each alert has a case in which it fires and one in which it is silent', () => {
  const { tests } = parse(readFileSync(CASES, 'utf8')) as {
    tests: readonly { name: string; promql_expr_test: readonly { exp_samples: object[] }[] }[];
  };
  const fires = (one: (typeof tests)[number]): boolean =>
    one.promql_expr_test.some(({ exp_samples: samples }) => samples.length > 0);
  for (const { alert } of spec.groups.flatMap(({ rules }) => rules)) {
    const own = tests.filter(({ name }) => name.startsWith(`${alert} `));
    expect([alert, own.map(fires).sort()]).toEqual([alert, [false, true]]);
  }
});

describeWith('promtool', 'the alerting rules', () => {
  test('hold in Prometheus itself', () => {
    const folder = mkdtempSync(join(tmpdir(), 'promtool-'));
    try {
      writeFileSync(join(folder, 'rules.yaml'), stringify({ groups: spec.groups }));
      copyFileSync(CASES, join(folder, 'alerts.yaml'));
      for (const args of [
        ['check', 'rules', 'rules.yaml'],
        ['test', 'rules', 'alerts.yaml'],
      ]) {
        const { status, stdout, stderr } = spawnSync('promtool', args, {
          cwd: folder,
          encoding: 'utf8',
        });
        expect([stdout + stderr, status]).toEqual([expect.anything(), 0]);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
