import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { resourcePath, type KubeObject, type ResourceType } from '@auditing/kubernetes/kube-object';
import { hasCode, NOT_FOUND } from '@auditing/kubernetes/kube-error';
import type { TestCluster } from '@auditing/kubernetes/testing/cluster';
import { until } from '@auditing/kubernetes/testing/until';
import { STATEFUL_SETS } from '../kinds';
import { startOperator, type RunningOperator } from './running-operator';

const never = new AbortController().signal;

/** An object, as far as tests look into it. */
export interface Any extends KubeObject {
  readonly spec?: {
    readonly template?: {
      readonly spec: { readonly containers: readonly { readonly name: string }[] };
    };
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** The Webhook resource in force. */
export const webhook = (spec: object): KubeObject =>
  ({
    apiVersion: 'auditing.kubesphere.io/v1alpha1',
    kind: 'Webhook',
    metadata: { name: 'kube-auditing-webhook' },
    spec,
  }) as KubeObject;

/** A cluster with at most one operator in it. */
export class OperatedCluster {
  readonly namespace: string;
  #operator: RunningOperator | undefined;

  constructor(readonly cluster: TestCluster) {
    this.namespace = cluster.fake ? 'here' : 'default';
    if (!cluster.fake) return;
    cluster.fake.onRequest = ({ path }) =>
      path === '/apis/policy' ? { code: 200, body: { versions: [{ version: 'v1' }] } } : undefined;
  }

  async run(env: Record<string, string> = {}): Promise<RunningOperator> {
    const port = await freePort();
    this.#operator = await startOperator(this.cluster.kubeconfig, {
      port,
      // The real one is older than 1.24.
      ...(!this.cluster.fake && { AUDITING_GATEWAY_PROBES: 'http' }),
      ...env,
    });
    return this.#operator;
  }

  async end(): Promise<void> {
    await this.#operator?.started.stop();
    await this.cluster.stop();
  }

  /** An object; undefined if it is not there. */
  async get<T>(type: ResourceType, name: string, inNamespace = true): Promise<T | undefined> {
    const path = resourcePath(type, { name, ...(inNamespace && { namespace: this.namespace }) });
    return this.cluster.client.request<T>({ path, signal: never }).catch((error: unknown) => {
      if (hasCode(error, NOT_FOUND)) return undefined;
      throw error;
    });
  }

  statefulSet(): Promise<Any | undefined> {
    return this.get<Any>(STATEFUL_SETS, 'kube-auditing-webhook');
  }

  /** Waits until the StatefulSet looks so. */
  async untilSet(expected: object): Promise<void> {
    let last: unknown;
    await until(async () => {
      last = await this.statefulSet();
      try {
        expect(last).toMatchObject(expected);
        return true;
      } catch {
        return false;
      }
    }, 20_000).catch(() => expect(last).toMatchObject(expected));
  }
}
