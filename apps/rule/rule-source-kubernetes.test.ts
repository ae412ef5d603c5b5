import { buildColumns } from '@auditing/audit-event/columns';
import { decodeEvent } from '@auditing/audit-event/decoded-event';
import { Field, Source } from '@auditing/proto/event';
import { EvaluateRequest } from '@auditing/proto/rule';
import {
  CLUSTERS,
  type StatusObject,
  type TestCluster,
} from '@auditing/kubernetes/testing/cluster';
import { testRedis } from './testing/redis';
import {
  ruleFolder,
  until,
  webhookYaml,
  type RuleFolder,
  type RunningRule,
} from './testing/rule-folder';

jest.setTimeout(300_000);
const never = new AbortController().signal;

/** A Rule of the namespace default. */
function rule(name: string, entries: readonly object[], labels = { type: 'archiving' }): object {
  return {
    apiVersion: 'auditing.kubesphere.io/v1alpha1',
    kind: 'Rule',
    metadata: { name, namespace: 'default', labels },
    spec: { rules: entries },
  };
}

const entry = (name: string, condition: string): object => ({
  ...{ name, type: 'rule', condition, enable: true, priority: 'INFO' },
});

describe.each(CLUSTERS)('with %s', (_name, startCluster) => {
  let cluster: TestCluster;
  let folder: RuleFolder;

  beforeAll(async () => {
    cluster = await startCluster();
  });

  afterAll(() => cluster.stop());

  beforeEach(async () => {
    folder = await ruleFolder();
  });

  afterEach(async () => {
    await folder.remove();
    for (const kind of ['Rule', 'Webhook'] as const)
      for (const key of await keys(kind)) await cluster.remove(kind, key);
  });

  async function keys(kind: 'Rule' | 'Webhook'): Promise<string[]> {
    const path = `/apis/auditing.kubesphere.io/v1alpha1/${kind.toLowerCase()}s`;
    const { items } = await cluster.client.request<{ items: StatusObject[] }>({
      path,
      signal: never,
    });
    return items.map(({ metadata }) =>
      metadata.namespace ? `${metadata.namespace}/${metadata.name}` : metadata.name,
    );
  }

  const start = (env: Record<string, string> = {}): Promise<RunningRule> =>
    folder.start({
      AUDITING_RULE_SOURCE: 'kubernetes',
      AUDITING_KUBECONFIG: cluster.kubeconfig,
      ...env,
    });

  const apply = (resource: string | object): Promise<void> =>
    cluster.apply(resource as StatusObject);

  async function conditionsOf({ client }: RunningRule): Promise<Record<string, string>> {
    const { rules } = await client.listRules({}, never).catch(() => ({ rules: [] }));
    return Object.fromEntries(
      rules.filter(({ active }) => active).map((one) => [one.name, one.condition]),
    );
  }

  async function ready(kind: 'Rule' | 'Webhook', key: string): Promise<string> {
    const { metadata, status } = await cluster.get(kind, key);
    if (status?.['observedGeneration'] !== metadata.generation) return 'not observed';
    const condition = status?.conditions?.find(({ type }) => type === 'Ready');
    return `${condition?.status ?? ''} ${condition?.reason ?? ''}: ${condition?.message ?? ''}`;
  }

  test('resources are in force, edits act, and each carries its status', async () => {
    await apply(webhookYaml());
    await apply(rule('a', [entry('one', 'Verb = "get"')]));
    const running = await start();
    expect(await conditionsOf(running)).toEqual({ 'a.one': 'Verb = "get"' });
    await until(async () => (await ready('Rule', 'default/a')).startsWith('True InForce'), 20_000);
    await until(
      async () => (await ready('Webhook', 'kube-auditing-webhook')).startsWith('True'),
      20_000,
    );

    await apply(rule('a', [entry('one', 'Verb = "list"')]));
    await until(async () => (await conditionsOf(running))['a.one'] === 'Verb = "list"');
    await apply(rule('b', [entry('two', 'Verb = "watch"')]));
    await until(async () => 'b.two' in (await conditionsOf(running)));
    await cluster.remove('Rule', 'default/b');
    await until(async () => !('b.two' in (await conditionsOf(running))));
    await until(async () => (await ready('Rule', 'default/a')).startsWith('True InForce'), 20_000);
    expect((await cluster.get('Rule', 'default/a')).status).toMatchObject({
      ruleCount: 1,
      activeRuleCount: 1,
    });
    expect((await cluster.get('Webhook', 'kube-auditing-webhook')).status).toMatchObject({
      ruleCount: 1,
      conditions: expect.arrayContaining([
        expect.objectContaining({
          type: 'KubernetesAuditing',
          status: 'False',
          reason: 'Disabled',
        }) as object,
        expect.objectContaining({
          type: 'Warned',
          status: 'True',
          message: expect.stringContaining(
            'alertingRuleSelector: type=alerting picks no Rule',
          ) as string,
        }) as object,
      ]) as object[],
    });
  });

  test('an edit with an error does not act, is told with its place, and acts once it is repaired', async () => {
    await apply(webhookYaml());
    await apply(
      rule('a', [{ name: 'reads', type: 'list', list: ['get'] }, entry('one', 'Verb in ${reads}')]),
    );
    await apply(rule('b', [entry('two', 'Verb = "list"')]));
    const running = await start();
    await apply(rule('a', [entry('one', 'Verb in ${reads'), entry('three', 'Verb = "x"')]));
    await apply(rule('b', [entry('two', 'Verb = "watch"')]));
    await until(async () => (await conditionsOf(running))['b.two'] === 'Verb = "watch"');
    expect(await conditionsOf(running)).toEqual({
      'a.one': 'Verb in ${reads}',
      'b.two': 'Verb = "watch"',
    });
    await until(
      async () => (await ready('Rule', 'default/a')).startsWith('False EditHeldBack'),
      20_000,
    );
    expect(await ready('Rule', 'default/a')).toMatch(
      /spec\.rules\[0\]\.condition:1:\d+: .*stays in force$/,
    );
    expect((await cluster.get('Rule', 'default/a')).status).toMatchObject({
      errorCount: 1,
      lastError: { path: 'spec.rules[0].condition', line: 1 },
    });
    await apply(rule('a', [entry('one', 'Verb = "get"')]));
    await until(async () => (await conditionsOf(running))['a.one'] === 'Verb = "get"');
    await until(async () => (await ready('Rule', 'default/a')).startsWith('True InForce'), 20_000);
    expect((await cluster.get('Rule', 'default/a')).status?.['lastError'] ?? null).toBeNull();
  });

  test('a restarted replica holds back what the one before held back', async () => {
    await apply(webhookYaml());
    await apply(rule('a', [entry('one', 'Verb = "get"')]));
    const first = await start();
    await apply(rule('a', [entry('one', 'Verb = ')]));
    await until(
      async () => (await ready('Rule', 'default/a')).startsWith('False EditHeldBack'),
      20_000,
    );
    await first.stop();
    const second = await start();
    expect(await conditionsOf(second)).toEqual({ 'a.one': 'Verb = "get"' });
    await until(
      async () => (await ready('Rule', 'default/a')).startsWith('False EditHeldBack'),
      20_000,
    );
  });

  test('of a new resource what is well-formed acts', async () => {
    await apply(webhookYaml());
    await apply(rule('a', [entry('one', 'Verb = '), entry('two', 'Verb = "get"')]));
    const running = await start();
    expect(Object.keys(await conditionsOf(running))).toEqual(['a.two']);
    await until(
      async () => (await ready('Rule', 'default/a')).startsWith('False EntriesLeftOut'),
      20_000,
    );
  });

  test('nothing is written when nothing has changed', async () => {
    await apply(webhookYaml());
    await apply(rule('a', [entry('one', 'Verb = "get"')]));
    await start();
    await until(async () => (await ready('Rule', 'default/a')).startsWith('True'), 20_000);
    await until(
      async () => (await ready('Webhook', 'kube-auditing-webhook')).startsWith('True'),
      20_000,
    );
    const version = async (): Promise<unknown> =>
      (await cluster.get('Rule', 'default/a')).metadata.resourceVersion;
    const before = await version();
    await apply(rule('b', [entry('two', 'Verb = "get"')]));
    await until(async () => (await ready('Rule', 'default/b')).startsWith('True'), 20_000);
    expect(await version()).toBe(before);
  });

  test('an API server that restarts is followed again', async () => {
    await apply(webhookYaml());
    await apply(rule('a', [entry('one', 'Verb = "get"')]));
    const running = await start();
    await cluster.restart();
    await apply(rule('a', [entry('one', 'Verb = "list"')]));
    await until(async () => (await conditionsOf(running))['a.one'] === 'Verb = "list"', 20_000);
  });

  test('an event gets the workspace of its namespace, for rules to read and in its verdict', async () => {
    await apply(webhookYaml());
    await apply(rule('a', [entry('one', 'Workspace = "team-a"')]));
    await apply({
      ...{ apiVersion: 'v1', kind: 'Namespace' },
      metadata: { name: 'shop', labels: { 'kubesphere.io/workspace': 'team-a' } },
    });
    const running = await start();
    const events = [
      { verb: 'get', objectRef: { namespace: 'shop' } },
      { Verb: 'get', Workspace: 'team-a', ObjectRef: { Namespace: 'other' } },
      { verb: 'get', objectRef: { namespace: 'other' } },
    ].map((event) => decodeEvent(Buffer.from(JSON.stringify(event)), Source.UNSPECIFIED));
    const { version, projection } = await running.client.getRuleSet({}, never);
    const columns = buildColumns(events, projection?.fields ?? []);
    expect(projection?.fields).toEqual(expect.arrayContaining([Field.WORKSPACE, Field.NAMESPACE]));
    const request = EvaluateRequest.fromPartial({
      projectionVersion: version,
      batch: { columns, eventCount: events.length },
    });
    const verdicts = async (): Promise<unknown> =>
      (await running.client.evaluate(request, never)).verdicts?.verdicts.map(
        ({ event, workspace }) => [event, workspace],
      );
    await until(async () => JSON.stringify(await verdicts()) === '[[0,"team-a"],[1,""]]');
  });

  test('needs redis-server: replicas agree, one alone writes statuses, and a fresh one starts while the API is away', async () => {
    const redis = await testRedis();
    try {
      await redis.start();
      await apply(webhookYaml());
      await apply(rule('a', [entry('one', 'Verb = "get"')]));
      const env = { AUDITING_REDIS_URL: redis.url };
      const [one, two] = [
        await start(env),
        await start({ ...env, AUDITING_DATA_DIR: `${folder.data}2` }),
      ];
      await apply(rule('a', [entry('one', 'Verb = "list"')]));
      for (const replica of [one, two])
        await until(async () => (await conditionsOf(replica))['a.one'] === 'Verb = "list"');
      const generations = async (): Promise<unknown[]> =>
        Promise.all(
          [one, two].map(async ({ client }) => (await client.getRuleSet({}, never)).generation),
        );
      await until(async () => new Set(await generations()).size === 1, 10_000);
      const leaders = [one, two].filter(({ log }) =>
        log.some(
          (line) => line['msg'] === 'writes the status of resources' && line['isLeading'] === true,
        ),
      );
      expect(leaders.length).toBeLessThanOrEqual(1);
      if (!cluster.fake) return;
      await cluster.fake.stop();
      const three = await start({ ...env, AUDITING_DATA_DIR: `${folder.data}3` });
      expect(await conditionsOf(three)).toEqual({ 'a.one': 'Verb = "list"' });
      await cluster.fake.start();
    } finally {
      await redis.remove();
    }
  });
});
