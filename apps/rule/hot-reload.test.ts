import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { Level } from '@auditing/proto/event';
import { Severity, type RuleSet } from '@auditing/proto/rule';
import {
  ruleFolder,
  ruleYaml,
  until,
  webhookYaml,
  type RuleFolder,
  type RunningRule,
} from './testing/rule-folder';

const never = new AbortController().signal;
let folder: RuleFolder;

beforeEach(async () => {
  folder = await ruleFolder();
});

afterEach(() => folder.remove());

async function names({ client }: RunningRule): Promise<string[]> {
  return (await client.listRules({}, never)).rules.map(({ name }) => name);
}

async function current({ client }: RunningRule): Promise<RuleSet> {
  return client.getRuleSet({}, never);
}

async function errorsOf(rule: RunningRule): Promise<RuleSet['diagnostics']> {
  return (await current(rule)).diagnostics.filter(({ severity }) => severity === Severity.ERROR);
}

test('resources come from files in all forms, sub-folders included', async () => {
  await folder.write('webhook.yaml', webhookYaml());
  await folder.write(
    'deep/er/two.yml',
    `${ruleYaml('b', 'Verb = "get"')}---\n${ruleYaml('c', 'Verb = "list"')}`,
  );
  const list = {
    apiVersion: 'v1',
    kind: 'List',
    items: [
      {
        apiVersion: 'auditing.kubesphere.io/v1alpha1',
        kind: 'Rule',
        metadata: { name: 'a', labels: { type: 'archiving' } },
        spec: {
          rules: [
            {
              name: 'one',
              type: 'rule',
              condition: 'Verb = "watch"',
              priority: 'INFO',
              enable: true,
            },
          ],
        },
      },
    ],
  };
  await folder.write('list.json', JSON.stringify(list));
  await folder.write('.hidden.yaml', 'not read');
  await folder.write('notes.txt', 'not read');
  await folder.write(
    'kustomization.yaml',
    'apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n',
  );
  const rule = await folder.start();
  expect(await names(rule)).toEqual(['a.one', 'b.one', 'c.one']);
  const { settings, diagnostics } = await current(rule);
  expect(settings?.auditLevel).toBe(Level.REQUEST);
  expect(diagnostics.find(({ resource }) => resource === 'kustomization.yaml')?.message).toMatch(
    /Kustomization/,
  );
});

test('a new, a changed and a removed file are in force soon, without a restart', async () => {
  await folder.write('a.yaml', ruleYaml('a', 'Verb = "get"'));
  const rule = await folder.start();
  const first = await current(rule);

  const tookMs: number[] = [];
  await folder.write('b.yaml', ruleYaml('b', 'Verb = "get"'));
  tookMs.push(await until(async () => (await names(rule)).length === 2));
  await folder.write('b.yaml', ruleYaml('c', 'Verb = "get"'), 'inPlace');
  tookMs.push(await until(async () => (await names(rule)).includes('c.one')));
  await rm(join(folder.config, 'b.yaml'));
  tookMs.push(await until(async () => (await names(rule)).length === 1));
  // Each within a second where nothing else runs: how busy this machine is must not decide.
  expect(Math.min(...tookMs)).toBeLessThan(10_000);

  const last = await current(rule);
  expect(last.version).toBe(first.version);
  expect(last.generation).toBe(first.generation + 3n);
});

test('those who watch get the set in force, then each other one', async () => {
  await folder.write('a.yaml', ruleYaml('a', 'Verb = "get"'));
  const rule = await folder.start();
  const seen: RuleSet[] = [];
  const controller = new AbortController();
  const watching = (async () => {
    for await (const set of rule.client.watch({ knownVersion: '' }, controller.signal))
      seen.push(set);
  })().catch((error: unknown) => error);
  await until(() => seen.length === 1);
  await folder.write('webhook.yaml', webhookYaml('alertingPriority: INFO'));
  await until(() => seen.length === 2);
  expect(seen[1]?.version).not.toBe(seen[0]?.version);

  const known: RuleSet[] = [];
  const knowing = (async () => {
    const knownVersion = seen[1]?.version ?? '';
    for await (const set of rule.client.watch({ knownVersion }, controller.signal)) known.push(set);
  })().catch((error: unknown) => error);
  await folder.write('b.yaml', ruleYaml('b', 'Verb = "get"'));
  await until(() => seen.length === 3 && known.length === 1);
  expect(known[0]?.version).toBe(seen[2]?.version);
  controller.abort();
  expect(await watching).toMatchObject({ code: status.CANCELLED });
  expect(await knowing).toMatchObject({ code: status.CANCELLED });
});

test('a bad rule is left out alone', async () => {
  await folder.write(
    'a.yaml',
    `${ruleYaml('good', 'Verb = "get"')}---\n${ruleYaml('bad', 'Verb = = "get"')}`,
  );
  const rule = await folder.start();
  const { rules } = await rule.client.listRules({}, never);
  expect(rules.map(({ name, active }) => [name, active])).toEqual([
    ['bad.one', false],
    ['good.one', true],
  ]);
  expect(await errorsOf(rule)).toMatchObject([
    { resource: 'Rule/bad', path: 'spec.rules[0].condition', line: 1 },
  ]);
});

test('a broken file keeps what it held, says where it is broken, and the others go on', async () => {
  await folder.write('a.yaml', ruleYaml('a', 'Verb = "get"'));
  const rule = await folder.start();
  await folder.write('a.yaml', `${ruleYaml('other', 'Verb = "get"')}  bad: [unclosed\n`);
  await folder.write('b.yaml', ruleYaml('b', 'Verb = "get"'));
  await until(async () => (await names(rule)).length === 2);
  expect(await names(rule)).toEqual(['a.one', 'b.one']);
  const [error] = await errorsOf(rule);
  expect(error).toMatchObject({ resource: 'a.yaml', path: '' });
  expect(error?.line).toBeGreaterThan(13);
  expect(error?.column).toBeGreaterThan(0);
  expect(error?.excerpt).toContain('^');

  await folder.write('a.yaml', '');
  await until(async () => (await errorsOf(rule))[0]?.message.includes('empty') === true);
  expect(await names(rule)).toEqual(['a.one', 'b.one']);
});

test('a broken file keeps what it held over a restart', async () => {
  await folder.write('a.yaml', ruleYaml('a', 'Verb = "get"'));
  await folder.write('b.yaml', ruleYaml('b', 'Verb = "get"'));
  const before = await folder.start();
  const { generation } = await current(before);
  await before.stop();
  await folder.write('a.yaml', 'kind: [');
  const after = await folder.start();
  expect(await names(after)).toEqual(['a.one', 'b.one']);
  expect((await current(after)).generation).toBe(generation);
});

test('a folder that has become empty or is gone switches no rule off', async () => {
  await folder.write('a.yaml', ruleYaml('a', 'Verb = "get"'));
  const rule = await folder.start();
  await rm(folder.config, { recursive: true });
  await until(() => rule.log.some(({ msg }) => String(msg).includes('stays in force')));
  expect(await names(rule)).toEqual(['a.one']);
  await rule.stop();
  const again = await folder.start();
  expect(await names(again)).toEqual(['a.one']);
});

test('without any rule set calls are UNAVAILABLE and say what to do, until there is one', async () => {
  const rule = await folder.start();
  const admin = rule.started.addresses['admin'] ?? '';
  await expect(current(rule)).rejects.toMatchObject({ code: status.UNAVAILABLE });
  await expect(current(rule)).rejects.toThrow(/AUDITING_CONFIG_DIR/);
  expect((await fetch(`${admin}/readyz`)).status).toBe(503);
  await folder.write('a.yaml', ruleYaml('a', 'Verb = "get"'));
  await until(async () => (await fetch(`${admin}/readyz`)).status === 200);
});

test('files of a mounted ConfigMap are followed through their links', async () => {
  const version = async (name: string, condition: string): Promise<void> => {
    await mkdir(join(folder.config, name));
    await writeFile(join(folder.config, name, 'rules.yaml'), ruleYaml('mounted', condition));
    await symlink(name, join(folder.config, '..data_tmp'));
    await rename(join(folder.config, '..data_tmp'), join(folder.config, '..data'));
  };
  await version('..2026_01', 'Verb = "get"');
  await symlink('..data/rules.yaml', join(folder.config, 'rules.yaml'));
  const rule = await folder.start();
  expect(await names(rule)).toEqual(['mounted.one']);
  await version('..2026_02', 'Verb = "list"');
  const changed = async (): Promise<boolean> =>
    (await rule.client.listRules({}, never)).rules[0]?.condition === 'Verb = "list"';
  await until(changed);
});

test('only the Webhook resource of the set name is in force', async () => {
  await folder.write('a.yaml', webhookYaml('auditLevel: None', 'another'));
  await folder.write('b.yaml', webhookYaml('auditLevel: Request'));
  await folder.write('c.yaml', webhookYaml('auditLevel: None'));
  await folder.write('d.yaml', ruleYaml('a', 'Verb = "get"'));
  const rule = await folder.start();
  const { settings, diagnostics } = await current(rule);
  expect(settings?.auditLevel).toBe(Level.REQUEST);
  expect(diagnostics.slice(0, 2).map(({ resource, severity }) => [resource, severity])).toEqual([
    ['Webhook/another', Severity.WARNING],
    ['Webhook/kube-auditing-webhook', Severity.ERROR],
  ]);
});
