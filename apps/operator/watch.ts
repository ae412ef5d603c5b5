import { informer, type Informer } from '@auditing/kubernetes/informer';
import type { KubeClient } from '@auditing/kubernetes/kube-client';
import type { KubeObject, ResourceType } from '@auditing/kubernetes/kube-object';
import type { Logger } from 'pino';
import {
  RULES,
  SERVICES,
  STATEFUL_SETS,
  VOLUME_CLAIMS,
  WEBHOOKS,
  disruptionBudgets,
  type ServiceObject,
  type StatefulSetObject,
  type WebhookObject,
} from './kinds';
import { MANAGED_BY, MANAGED_LABEL } from './tls-secrets';

/** What a Webhook makes, and what rules are. */
export interface Watched {
  readonly webhooks: Informer<WebhookObject>;
  readonly rules: Informer<RuleObject>;
  readonly statefulSets: Informer<StatefulSetObject>;
  readonly services: Informer<ServiceObject>;
  readonly budgets: Informer<KubeObject>;
  readonly volumeClaims: Informer<KubeObject>;
  /** PodDisruptionBudgets, as this cluster has them. */
  readonly budgetType: ResourceType;
}

/** A Rule resource. */
export interface RuleObject extends KubeObject {
  readonly spec?: unknown;
}

/** What is needed to watch. */
export interface WatchOptions {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly log: Logger;
  /** Told at each change of what gateways are made of. */
  readonly onChange: () => void;
}

/** Watches until the signal aborts. What the operator made is known by its label. */
export async function watchCluster(
  { client, namespace, log, onChange }: WatchOptions,
  signal: AbortSignal,
): Promise<Watched> {
  const budgetType = disruptionBudgets(await policyVersion(client, signal));
  const watch = <T extends KubeObject>(
    type: ResourceType,
    where: { readonly namespace?: string; readonly labelSelector?: string } = {},
    whenChanged: () => void = onChange,
  ): Informer<T> =>
    informer<T>(
      {
        ...{ client, type, ...where },
        onChange: whenChanged,
        onState(state) {
          const { plural } = type;
          if (state.isUp) log.info({ resources: plural }, 'changes in Kubernetes are followed');
          else
            log.warn({ err: state.error, resources: plural }, 'the Kubernetes API does not answer');
        },
      },
      signal,
    );
  const mine = { namespace, labelSelector: `${MANAGED_LABEL}=${MANAGED_BY}` };
  return {
    budgetType,
    webhooks: watch(WEBHOOKS),
    rules: watch(RULES, {}, () => undefined),
    statefulSets: watch(STATEFUL_SETS, mine),
    services: watch(SERVICES, mine),
    budgets: watch(budgetType, mine),
    volumeClaims: watch(VOLUME_CLAIMS, mine),
  };
}

/** Resolves when all is listed that gateways are made of. */
export async function synced(watched: Watched): Promise<void> {
  const { webhooks, statefulSets, services, budgets, volumeClaims } = watched;
  await Promise.all(
    [webhooks, statefulSets, services, budgets, volumeClaims].map((one) => one.synced),
  );
}

/** Since Kubernetes 1.21 there is v1, until 1.24 v1beta1. */
async function policyVersion(client: KubeClient, signal: AbortSignal): Promise<'v1' | 'v1beta1'> {
  const group = await client.request<{
    readonly versions?: readonly { readonly version: string }[];
  }>({
    path: '/apis/policy',
    signal,
  });
  return group.versions?.some(({ version }) => version === 'v1') ? 'v1' : 'v1beta1';
}
