import { setTimeout as sleep } from 'node:timers/promises';
import { informer, type Informer, type InformerState } from '@auditing/kubernetes/informer';
import type { KubeClient } from '@auditing/kubernetes/kube-client';
import type { KubeObject, ResourceType } from '@auditing/kubernetes/kube-object';
import { Severity, type Diagnostic } from '@auditing/proto/rule';
import type { Resource } from '@auditing/rule-engine/rule-set';
import { queue } from '@auditing/service/queue';
import type { Logger } from 'pino';
import { AcceptedResources, type NamedResources } from './accepted-resources';
import type { RuleSource, Snapshot } from './rule-source';

const API_VERSION = 'auditing.kubesphere.io/v1alpha1';
export const RULES: ResourceType = { apiVersion: API_VERSION, kind: 'Rule', plural: 'rules' };
export const WEBHOOKS: ResourceType = {
  apiVersion: API_VERSION,
  kind: 'Webhook',
  plural: 'webhooks',
};

/** A start goes on without the API server after this time: Redis or the disk may know the rules. */
const FIRST_LIST_WAIT_MS = 5_000;

/** A Rule or Webhook of the API server. */
export interface AuditingObject extends KubeObject {
  readonly spec?: Resource;
  readonly status?: unknown;
}

/** What the source needs. */
export interface KubernetesSourceOptions {
  readonly client: KubeClient;
  readonly webhookName: string;
  readonly log: Logger;
  /** The rule set that was last in force, here or in another replica. */
  readonly lastGood: readonly Resource[];
  /** Told at each change of a resource. */
  readonly onChange?: () => void;
}

/** Resources of the API server, and what its status writer needs to know. */
export interface KubernetesSource extends RuleSource {
  readonly rules: Informer<AuditingObject>;
  readonly webhooks: Informer<AuditingObject>;
  /** Why the newest version of a resource does not act, by `Rule/namespace/name`. */
  readonly held: () => ReadonlyMap<string, readonly Diagnostic[]>;
}

/**
 * Watches the Rule and Webhook resources of all namespaces, from now on until the signal aborts. While the API server
 * has not been reached yet it has no resources.
 */
export function ruleSourceKubernetes(
  { client, webhookName, log, lastGood, onChange }: KubernetesSourceOptions,
  signal: AbortSignal,
): KubernetesSource {
  const accepted = new AcceptedResources(
    webhookName,
    new Map(lastGood.map((resource) => [nameOf(resource as unknown as AuditingObject), resource])),
  );
  const changed = queue<true>();
  signal.addEventListener('abort', changed.end);
  const wake = (): void => {
    if (changed.size() === 0) changed.push(true);
    onChange?.();
  };
  const watch = (type: ResourceType): Informer<AuditingObject> =>
    informer(
      { client, type, onChange: wake, onState: (state) => logState(log, type, state) },
      signal,
    );
  const rules = watch(RULES);
  const webhooks = watch(WEBHOOKS);
  let isSynced = false;
  const synced = Promise.all([rules.synced, webhooks.synced]).then(() => {
    isSynced = true;
    wake();
  });
  synced.catch(() => undefined);

  const snapshot = (): Snapshot => {
    if (!isSynced) return { parts: {}, diagnostics: [notReached()] };
    const objects = [...webhooks.objects().values(), ...rules.objects().values()];
    accepted.take(new Map(objects.map((object) => [nameOf(object), essence(object)])));
    return {
      parts: partsOf(accepted.accepted),
      diagnostics: [...accepted.held.values()].flat().map(heldBack),
    };
  };
  return {
    rules,
    webhooks,
    held: () => accepted.held,
    async read() {
      await atMost(FIRST_LIST_WAIT_MS, synced);
      return snapshot();
    },
    async *changes() {
      for await (const _change of changed) if (isSynced) yield snapshot();
    },
  };
}

/** Waits for what may not come, for some time. */
async function atMost(ms: number, awaited: Promise<void>): Promise<void> {
  const timer = new AbortController();
  const over = sleep(ms, undefined, { signal: timer.signal }).catch(() => undefined);
  await Promise.race([awaited, over]).catch(() => undefined);
  timer.abort();
}

function logState(log: Logger, { plural }: ResourceType, state: InformerState): void {
  if (state.isUp) log.info({ resources: plural }, 'changes in Kubernetes are followed');
  else {
    log.warn(
      { err: state.error, resources: plural },
      'the Kubernetes API does not answer; rules stay as they are',
    );
  }
}

/** How diagnostics call a resource. */
export function nameOf({ kind, metadata }: AuditingObject): string {
  const { namespace, name } = metadata;
  return kind === 'Webhook' ? `Webhook/${name}` : `Rule/${namespace ? `${namespace}/` : ''}${name}`;
}

/** What a resource says: without its status, and without what changes though nobody changed it. */
function essence({ apiVersion, kind, metadata, spec }: AuditingObject): Resource {
  const { name, namespace, labels } = metadata;
  return {
    apiVersion: apiVersion ?? API_VERSION,
    kind: kind ?? '',
    metadata: {
      name,
      ...(namespace !== undefined && { namespace }),
      ...(labels !== undefined && { labels }),
    },
    ...(spec !== undefined && { spec }),
  };
}

function partsOf(resources: NamedResources): Snapshot['parts'] {
  return Object.fromEntries(
    [...resources].map(([name, one]) => [
      name,
      name.startsWith('Rule/') ? { rules: [one], webhooks: [] } : { rules: [], webhooks: [one] },
    ]),
  );
}

function heldBack(error: Diagnostic): Diagnostic {
  return { ...error, message: `${error.message}; the version before this edit stays in force` };
}

function notReached(): Diagnostic {
  return {
    severity: Severity.ERROR,
    resource: 'Kubernetes',
    path: '',
    line: 0,
    column: 0,
    message:
      'Rules and Webhooks could not be listed: is the API server there, are the definitions of k8s/crds applied, may this service account list them?',
    excerpt: '',
  };
}
