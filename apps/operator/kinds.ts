import type { KubeObject, ResourceType } from '@auditing/kubernetes/kube-object';
import type { WebhookSpec, WebhookStatusFields } from '@auditing/kubernetes/crds/webhook-schema';

const AUDITING = 'auditing.kubesphere.io/v1alpha1';
export const WEBHOOKS: ResourceType = { apiVersion: AUDITING, kind: 'Webhook', plural: 'webhooks' };
export const RULES: ResourceType = { apiVersion: AUDITING, kind: 'Rule', plural: 'rules' };
export const STATEFUL_SETS: ResourceType = {
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  plural: 'statefulsets',
};
export const SERVICES: ResourceType = { apiVersion: 'v1', kind: 'Service', plural: 'services' };
export const CONFIG_MAPS: ResourceType = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  plural: 'configmaps',
};
export const SECRETS: ResourceType = { apiVersion: 'v1', kind: 'Secret', plural: 'secrets' };
export const VOLUME_CLAIMS: ResourceType = {
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  plural: 'persistentvolumeclaims',
};
export const VALIDATING_WEBHOOKS: ResourceType = {
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'ValidatingWebhookConfiguration',
  plural: 'validatingwebhookconfigurations',
};

/** PodDisruptionBudgets: their version depends on that of the cluster. */
export function disruptionBudgets(version: 'v1' | 'v1beta1'): ResourceType {
  return {
    apiVersion: `policy/${version}`,
    kind: 'PodDisruptionBudget',
    plural: 'poddisruptionbudgets',
  };
}

/** Who applies what the operator makes. */
export const FIELD_MANAGER = 'kube-auditing-operator';

/** A Webhook resource. */
export interface WebhookObject extends KubeObject {
  readonly spec?: WebhookSpec;
  readonly status?: WebhookStatusFields;
}

/** A StatefulSet, as far as it is read. */
export interface StatefulSetObject extends KubeObject {
  readonly spec?: { readonly replicas?: number; readonly volumeClaimTemplates?: readonly object[] };
  readonly status?: {
    readonly replicas?: number;
    readonly readyReplicas?: number;
    readonly updatedReplicas?: number;
    readonly observedGeneration?: number;
  };
}

/** A Service, as far as it is read. */
export interface ServiceObject extends KubeObject {
  readonly spec?: { readonly clusterIP?: string };
}

/** A Secret. */
export interface SecretObject extends KubeObject {
  /** Base64. */
  readonly data?: Readonly<Record<string, string>>;
}
