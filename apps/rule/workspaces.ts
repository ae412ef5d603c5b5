import { informer } from '@auditing/kubernetes/informer';
import type { KubeClient } from '@auditing/kubernetes/kube-client';
import type { KubeObject, ResourceType } from '@auditing/kubernetes/kube-object';
import type { Logger } from 'pino';

/** The label by which Kube AI Hub says which workspace a namespace belongs to. */
const WORKSPACE_LABEL = 'kubesphere.io/workspace';
/** Namespaces that are gone: events about them, their own deletion among them, still come. */
const MAX_GONE = 10_000;

const NAMESPACES: ResourceType = { apiVersion: 'v1', kind: 'Namespace', plural: 'namespaces' };

/** Says which workspace a namespace belongs to. */
export interface Workspaces {
  /** Empty if the namespace belongs to none, or is not known. */
  readonly of: (namespace: string) => string;
}

/** Watches the namespaces until the signal aborts. */
export function watchWorkspaces(
  { client, log }: { readonly client: KubeClient; readonly log: Logger },
  signal: AbortSignal,
): Workspaces & { readonly synced: Promise<void> } {
  const gone = new Map<string, string>();
  const known = new Map<string, string>();
  const namespaces = informer<KubeObject>(
    {
      client,
      type: NAMESPACES,
      onChange(name) {
        const object = namespaces.objects().get(name);
        const before = known.get(name);
        if (object) {
          known.set(name, object.metadata.labels?.[WORKSPACE_LABEL] ?? '');
          gone.delete(name);
          return;
        }
        known.delete(name);
        if (before === undefined) return;
        gone.set(name, before);
        const [oldest] = gone.keys();
        if (gone.size > MAX_GONE && oldest !== undefined) gone.delete(oldest);
      },
      onState(state) {
        if (state.isUp) return;
        log.warn(
          { err: state.error },
          'namespaces cannot be watched; their workspaces stay as they are',
        );
      },
    },
    signal,
  );
  return {
    of: (namespace) => known.get(namespace) ?? gone.get(namespace) ?? '',
    synced: namespaces.synced,
  };
}
