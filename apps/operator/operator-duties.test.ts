import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type KubeObject } from '@auditing/kubernetes/kube-object';
import { CLUSTERS, type TestCluster } from '@auditing/kubernetes/testing/cluster';
import { until } from '@auditing/kubernetes/testing/until';
import { apply } from '@auditing/kubernetes/apply';
import { SECRETS, VALIDATING_WEBHOOKS, VOLUME_CLAIMS, WEBHOOKS, type SecretObject } from './kinds';
import { OperatedCluster, webhook } from './testing/operated-cluster';

jest.setTimeout(300_000);
const never = new AbortController().signal;

describe.each(CLUSTERS)('with %s', (_name, startCluster) => {
  let operated: OperatedCluster;
  let cluster: TestCluster;
  let namespace: string;

  beforeEach(async () => {
    operated = new OperatedCluster(await startCluster());
    ({ cluster, namespace } = operated);
  });

  afterEach(() => operated.end());

  test('a volume that a scale-down left is counted', async () => {
    await cluster.apply(webhook({ replicas: 1 }));
    const { started } = await operated.run();
    await operated.untilSet({ spec: { replicas: 1 } });
    const volumes = async (): Promise<string | undefined> =>
      /auditing_operator_orphaned_volumes\{webhook="kube-auditing-webhook"\} (\d+)/.exec(
        await (await fetch(`${started.addresses['admin'] ?? ''}/metrics`)).text(),
      )?.[1];
    await until(async () => (await volumes()) === '0', 20_000);
    for (const ordinal of [0, 1]) {
      await apply(
        cluster.client,
        {
          type: VOLUME_CLAIMS,
          object: {
            metadata: {
              name: `spool-kube-auditing-webhook-${ordinal}`,
              namespace,
              labels: { 'app.kubernetes.io/managed-by': 'kube-auditing-operator' },
            },
            spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
          } as unknown as KubeObject,
        },
        { fieldManager: 'test', signal: never },
      );
    }
    await until(async () => (await volumes()) === '1', 20_000);
    await cluster.apply(webhook({ replicas: 2 }));
    await until(async () => (await volumes()) === '0', 20_000);
  });

  test('a cluster without a Webhook gets the shipped resources', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'defaults-'));
    try {
      await writeFile(
        join(folder, 'webhook.yaml'),
        JSON.stringify(webhook({ auditLevel: 'Metadata' })),
      );
      await operated.run({ AUDITING_DEFAULTS_DIR: folder });
      await until(
        async () => (await operated.get(WEBHOOKS, 'kube-auditing-webhook', false)) !== undefined,
        20_000,
      );
      await operated.untilSet({ spec: { replicas: 1 } });
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test('the admission webhook is configured with the authority of its certificate', async () => {
    await operated.run();
    await until(
      async () =>
        (await operated.get(VALIDATING_WEBHOOKS, 'kube-auditing-rules', false)) !== undefined,
      20_000,
    );
    const secret = await operated.get<SecretObject>(SECRETS, 'kube-auditing-operator-tls');
    expect(await operated.get(VALIDATING_WEBHOOKS, 'kube-auditing-rules', false)).toMatchObject({
      webhooks: [
        { failurePolicy: 'Ignore', clientConfig: { caBundle: secret?.data?.['caBundle'] } },
      ],
    });
  });
});
