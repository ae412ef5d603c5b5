import { X509Certificate } from 'node:crypto';
import { resourcePath, type KubeObject, type ResourceType } from '@auditing/kubernetes/kube-object';
import { CLUSTERS, type TestCluster } from '@auditing/kubernetes/testing/cluster';
import { until } from '@auditing/kubernetes/testing/until';
import { apply } from '@auditing/kubernetes/apply';
import { SECRETS, SERVICES, STATEFUL_SETS, type SecretObject } from './kinds';
import { OperatedCluster, webhook, type Any } from './testing/operated-cluster';

jest.setTimeout(300_000);
const never = new AbortController().signal;
const EVENTS: ResourceType = { apiVersion: 'v1', kind: 'Event', plural: 'events' };

describe.each(CLUSTERS)('with %s', (_name, startCluster) => {
  let operated: OperatedCluster;
  let cluster: TestCluster;
  let namespace: string;

  beforeEach(async () => {
    operated = new OperatedCluster(await startCluster());
    ({ cluster, namespace } = operated);
  });

  afterEach(() => operated.end());

  const pod = (one: object): object => ({ spec: { template: { spec: one } } });

  test('a Webhook gets its gateways, which follow its edits and are repaired', async () => {
    await cluster.apply(
      webhook({
        replicas: 2,
        image: 'example.org/gateway:1',
        imagePullPolicy: 'Always',
        imagePullSecrets: [{ name: 'pull' }],
        args: ['--x'],
        resources: { limits: { memory: '1Gi' } },
        nodeSelector: { disk: 'fast' },
        tolerations: [{ key: 'audit', operator: 'Exists' }],
        spool: { size: '5Gi', storageClassName: 'fast' },
      }),
    );
    await operated.run({ AUDITING_GATEWAY_TLS_SECRET: 'mtls' });
    await operated.untilSet({
      metadata: { ownerReferences: [{ kind: 'Webhook', name: 'kube-auditing-webhook' }] },
      spec: {
        replicas: 2,
        serviceName: 'kube-auditing-webhook-svc',
        template: {
          metadata: { labels: { app: 'kube-auditing-webhook' } },
          spec: {
            nodeSelector: { disk: 'fast' },
            imagePullSecrets: [{ name: 'pull' }],
            containers: [
              {
                image: 'example.org/gateway:1',
                imagePullPolicy: 'Always',
                args: ['--x'],
                env: expect.arrayContaining([
                  { name: 'AUDITING_WEBHOOK_PORT', value: '6443' },
                  { name: 'AUDITING_WEBHOOK_TLS', value: 'files' },
                  {
                    name: 'AUDITING_WEBHOOK_URL',
                    value: expect.stringMatching(
                      /^https:\/\/[\w.-]+:6443\/audit\/webhook\/event$/,
                    ) as string,
                  },
                ]) as object[],
              },
            ],
          },
        },
        volumeClaimTemplates: [
          { spec: { storageClassName: 'fast', resources: { requests: { storage: '5Gi' } } } },
        ],
      },
    });
    expect(await operated.get<Any>(SERVICES, 'kube-auditing-webhook-svc')).toMatchObject({
      metadata: { labels: { app: 'kube-auditing-webhook' } },
      spec: { ports: [{ port: 6443 }, { port: 443 }], selector: { app: 'kube-auditing-webhook' } },
    });

    // An edit acts, what is no longer wished goes, and what cannot be changed stays.
    await cluster.apply(webhook({ replicas: 3, useHTTPS: false, spool: { size: '9Gi' } }));
    await operated.untilSet({
      spec: {
        replicas: 3,
        template: { spec: { containers: [{ image: 'kube-auditing-gateway:latest' }] } },
        volumeClaimTemplates: [{ spec: { resources: { requests: { storage: '5Gi' } } } }],
      },
    });
    await until(
      async () => !('nodeSelector' in ((await operated.statefulSet())?.spec?.template?.spec ?? {})),
    );
    expect(await operated.get<Any>(SERVICES, 'kube-auditing-webhook-svc')).toMatchObject({
      spec: {
        ports: expect.arrayContaining([expect.objectContaining({ port: 8080 })]) as object[],
      },
    });

    // Drift is repaired, and a container that somebody else put in survives.
    await apply(
      cluster.client,
      {
        type: STATEFUL_SETS,
        object: {
          metadata: { name: 'kube-auditing-webhook', namespace },
          spec: {
            replicas: 1,
            template: { spec: { containers: [{ name: 'proxy', image: 'mesh' }] } },
          },
        } as KubeObject,
      },
      { fieldManager: 'mesh', signal: never },
    );
    await operated.untilSet({ spec: { replicas: 3 } });
    const { containers } = (
      (await operated.statefulSet())?.spec as {
        template: { spec: { containers: { name: string }[] } };
      }
    ).template.spec;
    expect(containers.map(({ name }) => name).sort()).toEqual(['gateway', 'proxy']);
    await cluster.client.request({
      method: 'DELETE',
      path: resourcePath(SERVICES, { namespace, name: 'kube-auditing-webhook-svc' }),
      signal: never,
    });
    await until(
      async () => (await operated.get(SERVICES, 'kube-auditing-webhook-svc')) !== undefined,
      20_000,
    );
  });

  test('port and affinity are as the Webhook says, and apart from each other where it says nothing', async () => {
    const expression = { key: 'disk', operator: 'In', values: ['fast'] };
    const affinity = {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [{ matchExpressions: [expression] }],
        },
      },
    };
    await cluster.apply(webhook({ port: 9443, affinity }));
    await operated.run();
    const [ports, env] = [
      [{ name: 'webhook', containerPort: 9443 }],
      [{ name: 'AUDITING_WEBHOOK_PORT', value: '9443' }],
    ].map(
      (some) =>
        expect.arrayContaining(
          some.map((one) => expect.objectContaining(one) as object),
        ) as object[],
    );
    await operated.untilSet(pod({ affinity, containers: [{ ports, env }] }));
    const { spec } = (await operated.statefulSet())?.spec?.template ?? {};
    expect(spec).not.toHaveProperty('affinity.podAntiAffinity');
    expect(await operated.get<Any>(SERVICES, 'kube-auditing-webhook-svc')).toMatchObject({
      spec: {
        ports: [
          { port: 9443, targetPort: 'webhook' },
          { port: 443, targetPort: 'webhook' },
        ],
      },
    });
    await cluster.apply(webhook({}));
    const labelSelector = { matchLabels: { app: 'kube-auditing-webhook' } };
    await operated.untilSet(
      pod({
        affinity: {
          podAntiAffinity: {
            preferredDuringSchedulingIgnoredDuringExecution: [
              { podAffinityTerm: { labelSelector, topologyKey: 'kubernetes.io/hostname' } },
            ],
          },
        },
      }),
    );
    await until(async () => {
      const now = (await operated.statefulSet())?.spec?.template?.spec as { affinity?: object };
      return !('nodeAffinity' in (now.affinity ?? {}));
    }, 20_000);
  });

  test.each([
    ['http', { httpGet: { path: '/readyz', port: 'metrics' } }],
    // A real one from before 1.24 refuses these.
    ['grpc', { grpc: { port: 9094, service: 'readiness' } }],
  ])('gateways are probed by %s', async (by, readinessProbe) => {
    if (by === 'grpc' && !cluster.fake) return;
    await cluster.apply(webhook({}));
    await operated.run({ AUDITING_GATEWAY_PROBES: by });
    await operated.untilSet(pod({ containers: [{ readinessProbe }] }));
  });

  test('its certificate is for the Service, is kept, and is made anew when it is no good', async () => {
    await cluster.apply(webhook({}));
    await operated.run();
    await operated.untilSet(
      pod({
        volumes: expect.arrayContaining([
          expect.objectContaining({ name: 'webhook-tls' }),
        ]) as object[],
      }),
    );
    const secret = async (): Promise<SecretObject> =>
      (await operated.get<SecretObject>(SECRETS, 'kube-auditing-webhook-secret'))!;
    const pem = (one: SecretObject, key: string): string =>
      Buffer.from(one.data?.[key] ?? '', 'base64').toString();
    const first = await secret();
    const certificate = new X509Certificate(pem(first, 'tls.crt'));
    expect(certificate.checkHost(`kube-auditing-webhook-svc.${namespace}.svc`)).toBeDefined();
    expect(certificate.verify(new X509Certificate(pem(first, 'caBundle')).publicKey)).toBe(true);
    if (!cluster.fake) {
      const service = await operated.get<{ spec: { clusterIP: string } } & KubeObject>(
        SERVICES,
        'kube-auditing-webhook-svc',
      );
      expect(certificate.checkIP(service!.spec.clusterIP)).toBeDefined();
    }
    const set = (data: object): Promise<unknown> =>
      apply(
        cluster.client,
        {
          type: SECRETS,
          object: {
            metadata: first.metadata.namespace
              ? { name: first.metadata.name, namespace }
              : first.metadata,
            data,
          } as unknown as KubeObject,
        },
        { fieldManager: 'test', signal: never },
      );
    await set({ 'tls.crt': Buffer.from('broken').toString('base64') });
    await cluster.apply(webhook({ replicas: 2 }));
    await until(async () => pem(await secret(), 'tls.crt').startsWith('-----BEGIN'), 20_000);
    expect((await secret()).data?.['caBundle']).toBe(first.data?.['caBundle']);
  });

  test('status and events say what was done', async () => {
    await cluster.apply(webhook({ image: 'kubesphere/kube-auditing-webhook:v0.1.0' }));
    await operated.run();
    await until(async () => {
      const { status } = await cluster.get('Webhook', 'kube-auditing-webhook');
      return (
        status?.conditions?.some(
          ({ type, reason }) => type === 'Available' && reason === 'GatewaysNotReady',
        ) === true
      );
    }, 300_000);
    const place = { ...STATEFUL_SETS };
    await apply(
      cluster.client,
      {
        type: place,
        object: {
          metadata: { name: 'kube-auditing-webhook', namespace },
          status: { replicas: 1, readyReplicas: 1 },
        } as unknown as KubeObject,
      },
      { fieldManager: 'controller', subresource: 'status', signal: never },
    );
    await until(async () => {
      const { status } = await cluster.get('Webhook', 'kube-auditing-webhook');
      return (
        status?.conditions?.some(
          ({ type, status: is }) => type === 'Available' && is === 'True',
        ) === true
      );
    }, 300_000);
    expect((await cluster.get('Webhook', 'kube-auditing-webhook')).status).toMatchObject({
      readyReplicas: 1,
    });
    const { items } = await cluster.client.request<{
      items: { reason: string; message: string }[];
    }>({
      path: resourcePath(EVENTS, { namespace: 'default' }),
      signal: never,
    });
    const told = items.map(({ reason, message }) => `${reason} ${message}`);
    expect(told).toEqual(
      expect.arrayContaining([
        `Created made StatefulSet ${namespace}/kube-auditing-webhook`,
        expect.stringMatching(/^ImageReplaced .*remove spec\.image/) as string,
      ]),
    );
  });
});
