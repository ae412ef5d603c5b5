import type { KubeObject } from '@auditing/kubernetes/kube-object';
import { ADMISSION_PATH } from './admission';
import type { OperatorConfig } from './config';
import type { Wanted } from './gateway-objects';
import { VALIDATING_WEBHOOKS } from './kinds';
import { MANAGED_BY, MANAGED_LABEL } from './tls-secrets';

/** Name of the configuration: there is one for the whole cluster. */
export const CONFIGURATION_NAME = 'kube-auditing-rules';
const TIMEOUT_SECONDS = 5;

/** Hosts that the API server knows the admission webhook by. */
export function admissionHosts(config: OperatorConfig, namespace: string): string[] {
  const { admissionUrl, admissionService: service } = config;
  if (admissionUrl !== undefined) return [new URL(admissionUrl).hostname.replace(/^\[|\]$/g, '')];
  return [`${service}.${namespace}.svc`, `${service}.${namespace}`, service];
}

/** Has the API server ask before it stores a Rule or Webhook. If nobody answers it stores them unchecked. */
export function admissionConfiguration(
  config: OperatorConfig,
  namespace: string,
  caBundle: string,
): Wanted {
  const { admissionUrl, admissionService: name } = config;
  const reached =
    admissionUrl === undefined
      ? { service: { namespace, name, path: ADMISSION_PATH, port: 443 } }
      : { url: `${admissionUrl.replace(/\/+$/, '')}${ADMISSION_PATH}` };
  const object: KubeObject & { webhooks: object[] } = {
    metadata: { name: CONFIGURATION_NAME, labels: { [MANAGED_LABEL]: MANAGED_BY } },
    webhooks: [
      {
        name: 'rules.auditing.kubesphere.io',
        clientConfig: { ...reached, caBundle },
        rules: [
          {
            apiGroups: ['auditing.kubesphere.io'],
            apiVersions: ['v1alpha1'],
            operations: ['CREATE', 'UPDATE'],
            resources: ['rules', 'webhooks'],
            scope: '*',
          },
        ],
        // Configuration never waits for the operator: the rule service holds a bad edit back anyway.
        failurePolicy: 'Ignore',
        sideEffects: 'None',
        admissionReviewVersions: ['v1'],
        timeoutSeconds: TIMEOUT_SECONDS,
      },
    ],
  };
  return { type: VALIDATING_WEBHOOKS, object };
}
