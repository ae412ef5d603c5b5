import { createHash } from 'node:crypto';
import type { KubeClient } from '@auditing/kubernetes/kube-client';
import { hasCode, NOT_FOUND } from '@auditing/kubernetes/kube-error';
import { resourcePath, type KubeObject, type ResourceType } from '@auditing/kubernetes/kube-object';
import type { Logger } from 'pino';

const EVENTS: ResourceType = { apiVersion: 'v1', kind: 'Event', plural: 'events' };
/** Kubernetes keeps events about objects of the cluster in this namespace. */
const NAMESPACE = 'default';
const COMPONENT = 'kube-auditing-operator';

/** What is told. */
export interface Told {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

/** Writes Kubernetes Events about Webhook resources. */
export interface KubeEvents {
  /** Never rejects: an event that cannot be written is logged. The same one again raises its count. */
  readonly tell: (about: KubeObject, what: Told, signal: AbortSignal) => Promise<void>;
}

interface EventObject extends KubeObject {
  readonly count?: number;
}

export function kubeEvents(client: KubeClient, log: Logger): KubeEvents {
  const write = async (about: KubeObject, what: Told, signal: AbortSignal): Promise<void> => {
    const { name, uid = '', resourceVersion } = about.metadata;
    const mark = createHash('sha256')
      .update(JSON.stringify([uid, what]))
      .digest('hex')
      .slice(0, 16);
    const place = { namespace: NAMESPACE, name: `${name}.${mark}` };
    const now = new Date().toISOString().replace(/\.\d+/, '');
    const before = await client
      .request<EventObject>({ path: resourcePath(EVENTS, place), signal })
      .catch((error: unknown) => {
        if (hasCode(error, NOT_FOUND)) return undefined;
        throw error;
      });
    const { apiVersion, kind } = { apiVersion: 'auditing.kubesphere.io/v1alpha1', kind: 'Webhook' };
    await client.request({
      method: before ? 'PUT' : 'POST',
      path: resourcePath(EVENTS, before ? place : { namespace: NAMESPACE }),
      body: {
        ...before,
        ...{ apiVersion: 'v1', kind: 'Event' },
        metadata: before?.metadata ?? place,
        involvedObject: { apiVersion, kind, name, uid, resourceVersion },
        ...what,
        source: { component: COMPONENT },
        reportingComponent: COMPONENT,
        ...(!before && { firstTimestamp: now }),
        lastTimestamp: now,
        count: (before?.count ?? 0) + 1,
      },
      signal,
    });
  };
  return {
    async tell(about, what, signal) {
      log.info({ webhook: about.metadata.name, ...what }, 'told as an event');
      await write(about, what, signal).catch((error: unknown) => {
        if (!signal.aborted) log.warn({ err: error }, 'event not written');
      });
    },
  };
}
