import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { resourcePath, type KubeObject } from '@auditing/kubernetes/kube-object';
import { CLUSTERS, type TestCluster } from '@auditing/kubernetes/testing/cluster';
import { until } from '@auditing/kubernetes/testing/until';
import { apply } from '@auditing/kubernetes/apply';
import {
  CONFIG_MAPS,
  SECRETS,
  VALIDATING_WEBHOOKS,
  VOLUME_CLAIMS,
  WEBHOOKS,
  type SecretObject,
} from './kinds';
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

  describe('shipped resources', () => {
    let folder: string;
    const has = async (): Promise<boolean> =>
      (await operated.get(WEBHOOKS, 'kube-auditing-webhook', false)) !== undefined;
    const annotations = async (): Promise<object | undefined> =>
      (await operated.get<KubeObject>(CONFIG_MAPS, 'kube-auditing-defaults'))?.metadata.annotations;
    const isMarked = async (): Promise<boolean> =>
      'auditing.kubesphere.io/defaults' in ((await annotations()) ?? {});

    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), 'defaults-'));
      const shipped = webhook({ auditLevel: 'Metadata' });
      await writeFile(join(folder, 'webhook.yaml'), JSON.stringify(shipped));
    });
    afterEach(() => rm(folder, { recursive: true }));

    /** Once it has looked at the cluster as it is: each look repairs the admission webhook. */
    async function look(): Promise<void> {
      const isThere = async (): Promise<boolean> =>
        (await operated.get(VALIDATING_WEBHOOKS, 'kube-auditing-rules', false)) !== undefined;
      await until(isThere, 20_000);
      await cluster.client.request({
        method: 'DELETE',
        path: resourcePath(VALIDATING_WEBHOOKS, { name: 'kube-auditing-rules' }),
        signal: never,
      });
      await until(isThere, 20_000);
    }

    test('are made for a cluster without a Webhook, once: one that is deleted stays so', async () => {
      await operated.run({ AUDITING_DEFAULTS_DIR: folder, AUDITING_OPERATOR_RESYNC: '1s' });
      await until(has, 20_000);
      await operated.untilSet({ spec: { replicas: 1 } });
      await until(isMarked, 20_000);
      await cluster.remove('Webhook', 'kube-auditing-webhook');
      await look();
      await look();
      expect(await has()).toBe(false);
      // Asked for, they are made again.
      await apply(
        cluster.client,
        {
          type: CONFIG_MAPS,
          object: { metadata: { name: 'kube-auditing-defaults', namespace } },
        },
        { fieldManager: 'kube-auditing-operator', signal: never },
      );
      await until(has, 20_000);
    });

    test('are not made where there was a Webhook at first', async () => {
      await cluster.apply(webhook({ replicas: 2 }));
      await operated.run({ AUDITING_DEFAULTS_DIR: folder, AUDITING_OPERATOR_RESYNC: '1s' });
      await operated.untilSet({ spec: { replicas: 2 } });
      expect(await isMarked()).toBe(true);
      await cluster.remove('Webhook', 'kube-auditing-webhook');
      await look();
      await look();
      expect(await has()).toBe(false);
    });

    test('that cannot be made keep no service from its certificate', async () => {
      await writeFile(join(folder, 'webhook.yaml'), '{ kind: Webhook }');
      const { log } = await operated.run({ AUDITING_DEFAULTS_DIR: folder });
      await until(
        async () => (await operated.get(SECRETS, 'kube-auditing-rule-tls')) !== undefined,
        20_000,
      );
      expect(log.map(({ msg }) => msg)).toContain('shipped resources not made; tried again');
      expect(await isMarked()).toBe(false);
    });
  });

  test('a certificate belongs to the Webhook that is there, not to one of the same name before', async () => {
    const owner = async (): Promise<string | undefined> =>
      (
        (await operated.get<SecretObject>(SECRETS, 'kube-auditing-webhook-secret'))?.metadata as
          { ownerReferences?: { uid: string }[] } | undefined
      )?.ownerReferences
        ?.map(({ uid }) => uid)
        .join();
    const uid = async (): Promise<string | undefined> =>
      (await cluster.get('Webhook', 'kube-auditing-webhook')).metadata.uid;
    await cluster.apply(webhook({}));
    await operated.run();
    await operated.untilSet({ spec: { replicas: 1 } });
    const first = await uid();
    expect(await owner()).toBe(first);
    await cluster.remove('Webhook', 'kube-auditing-webhook');
    await cluster.apply(webhook({ replicas: 2 }));
    await operated.untilSet({ spec: { replicas: 2 } });
    expect(await owner()).not.toBe(first);
    expect(await owner()).toBe(await uid());
  });

  test('the authority of a Webhook outlives it; its certificate does not', async () => {
    const authority = async (): Promise<SecretObject | undefined> =>
      operated.get<SecretObject>(SECRETS, 'kube-auditing-webhook-ca');
    await cluster.apply(webhook({}));
    await operated.run();
    await operated.untilSet({ spec: { replicas: 1 } });
    const before = await authority();
    expect(before?.metadata).not.toHaveProperty('ownerReferences');
    const server = await operated.get<SecretObject>(SECRETS, 'kube-auditing-webhook-secret');
    expect(server?.metadata).toMatchObject({ ownerReferences: [{ kind: 'Webhook' }] });
    // What Kubernetes does to what the Webhook owned.
    await cluster.remove('Webhook', 'kube-auditing-webhook');
    await cluster.client.request({
      method: 'DELETE',
      path: resourcePath(SECRETS, { namespace, name: 'kube-auditing-webhook-secret' }),
      signal: never,
    });
    await cluster.apply(webhook({ replicas: 2 }));
    await operated.untilSet({ spec: { replicas: 2 } });
    const after = await operated.get<SecretObject>(SECRETS, 'kube-auditing-webhook-secret');
    expect(after?.data?.['tls.crt']).not.toBe(server?.data?.['tls.crt']);
    expect(after?.data?.['caBundle']).toBe(server?.data?.['caBundle']);
    expect(await authority()).toEqual(before);
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
