import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import { kubeClient, type KubeClient } from '../kube-client';
import { kubeconfigConnection } from '../kubeconfig';
import { resourcePath, type KubeObject, type ResourceType } from '../kube-object';
import { apply } from '../apply';
import { hasCode, NOT_FOUND } from '../kube-error';
import { fakeKubeApi, type FakeKubeApi } from './fake-kube-api';
import { KUBE_APISERVER, startKubeApiserver } from './kube-apiserver';
import { until } from './until';
import { parse } from 'yaml';

const never = new AbortController().signal;
const AUDITING = 'auditing.kubesphere.io/v1alpha1';
const RULES: ResourceType = { apiVersion: AUDITING, kind: 'Rule', plural: 'rules' };
const WEBHOOKS: ResourceType = { apiVersion: AUDITING, kind: 'Webhook', plural: 'webhooks' };
const NAMESPACES: ResourceType = { apiVersion: 'v1', kind: 'Namespace', plural: 'namespaces' };

/** An API server with the definitions of Rule and Webhook, fake or real, and what tests do there. */
export interface TestCluster {
  readonly client: KubeClient;
  readonly kubeconfig: string;
  /** Undefined for a real one. */
  readonly fake: FakeKubeApi | undefined;
  readonly restart: () => Promise<void>;
  readonly stop: () => Promise<void>;
  /** Applies a Rule or Webhook, or a namespace, given as YAML or object. */
  readonly apply: (resource: string | KubeObject) => Promise<void>;
  readonly get: (kind: 'Rule' | 'Webhook', key: string) => Promise<StatusObject>;
  readonly remove: (kind: 'Rule' | 'Webhook', key: string) => Promise<void>;
}

/** A resource with a status. */
export interface StatusObject extends KubeObject {
  readonly status?: {
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason: string;
      readonly message: string;
      readonly lastTransitionTime: string;
    }[];
    readonly [key: string]: unknown;
  };
}

/** The API servers that tests run against. */
export const CLUSTERS: readonly (readonly [string, () => Promise<TestCluster>])[] = [
  ['a fake API server', fakeCluster],
  ...(KUBE_APISERVER === undefined ? [] : [['kube-apiserver', realCluster] as const]),
];

async function fakeCluster(): Promise<TestCluster> {
  const fake = await fakeKubeApi();
  const folder = await mkdtemp(join(tmpdir(), 'fake-kube-'));
  const kubeconfig = join(folder, 'kubeconfig');
  await writeFile(
    kubeconfig,
    `current-context: x
contexts: [{ name: x, context: { cluster: x, user: x, namespace: here } }]
clusters: [{ name: x, cluster: { server: '${fake.connection.server}' } }]
users: [{ name: x, user: { token: fake } }]
`,
  );
  return {
    ...(await withClient(kubeconfig)),
    fake,
    async restart() {
      await fake.stop();
      await fake.start();
    },
    async stop() {
      await fake.stop();
      await rm(folder, { recursive: true });
    },
  };
}

async function realCluster(): Promise<TestCluster> {
  const server = await startKubeApiserver();
  const cluster = await withClient(server.kubeconfig);
  for (const plural of ['webhooks', 'rules']) {
    const path = join(__dirname, `../../../k8s/crds/${plural}.yaml`);
    await cluster.client.request({
      method: 'POST',
      path: '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
      body: parse(readFileSync(path, 'utf8')),
      signal: never,
    });
  }
  const isServed = async (type: ResourceType): Promise<boolean> =>
    cluster.client.request({ path: resourcePath(type), signal: never }).then(
      () => true,
      (error: unknown) => !hasCode(error, NOT_FOUND) && Promise.reject(error as Error),
    );
  await until(async () => (await isServed(RULES)) && (await isServed(WEBHOOKS)));
  return {
    ...cluster,
    fake: undefined,
    restart: () => server.restart('SIGKILL'),
    stop: server.stop,
  };
}

async function withClient(
  kubeconfig: string,
): Promise<Pick<TestCluster, 'client' | 'kubeconfig' | 'apply' | 'get' | 'remove'>> {
  const client = kubeClient(await kubeconfigConnection(kubeconfig));
  const typeOf = (kind: string | undefined): ResourceType =>
    kind === 'Rule' ? RULES : kind === 'Webhook' ? WEBHOOKS : NAMESPACES;
  const pathTo = (kind: string, key: string): string => {
    const [name = '', namespace] = key.split('/').reverse();
    return resourcePath(typeOf(kind), { name, namespace });
  };
  return {
    client,
    kubeconfig,
    async apply(resource) {
      const object = typeof resource === 'string' ? (parse(resource) as KubeObject) : resource;
      await apply(
        client,
        { type: typeOf(object.kind), object },
        { fieldManager: 'test', signal: never },
      );
    },
    get: (kind, key) => client.request({ path: pathTo(kind, key), signal: never }),
    async remove(kind, key) {
      await client.request({ method: 'DELETE', path: pathTo(kind, key), signal: never });
    },
  };
}
