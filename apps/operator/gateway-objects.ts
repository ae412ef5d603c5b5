import { createHash } from 'node:crypto';
import type { KubeObject, ResourceType } from '@auditing/kubernetes/kube-object';
import type { OperatorConfig } from './config';
import { gatewayPod, type GatewayPodContext, type GatewayWishes } from './gateway-pod';
import { SERVICES, STATEFUL_SETS, type StatefulSetObject } from './kinds';
import { MANAGED_BY, MANAGED_LABEL } from './tls-secrets';

/** Tells whether an object was applied for the same wishes: what is no longer wished must be taken away. */
export const WISHES_ANNOTATION = 'auditing.kubesphere.io/wishes';
/** Where events have been sent since the first generation. */
const HTTPS_PORT = 443;

/** An object to be applied. */
export interface Wanted {
  readonly type: ResourceType;
  readonly object: KubeObject;
}

/** The Service that events are sent to: on 443, as in the first generation, and on the port of the second. */
export function gatewayService({ name, port }: GatewayWishes, namespace: string): Wanted {
  const ports = [
    { name: 'webhook', port, targetPort: 'webhook', protocol: 'TCP' },
    ...(port === HTTPS_PORT
      ? []
      : [{ name: 'https', port: HTTPS_PORT, targetPort: 'webhook', protocol: 'TCP' }]),
  ];
  return wanted(SERVICES, {
    metadata: { name: `${name}-svc`, namespace, labels: labelsOf(name) },
    spec: { selector: { app: name }, ports },
  });
}

/**
 * Where senders post to. kube-apiserver runs on the network of its node, where names of Services mean nothing, so it is
 * the address of the Service, if there is one.
 */
export function senderUrlOf(
  { name, port, useTls }: GatewayWishes,
  namespace: string,
  address: string | undefined,
): string {
  const host = address?.includes(':')
    ? `[${address}]`
    : (address ?? `${name}-svc.${namespace}.svc`);
  return `${useTls ? 'https' : 'http'}://${host}:${port}/audit/webhook/event`;
}

/** Voluntary disruptions leave all gateways but one. */
export function gatewayDisruptionBudget(
  { name }: GatewayWishes,
  namespace: string,
  type: ResourceType,
): Wanted {
  return wanted(type, {
    metadata: { name, namespace, labels: labelsOf(name) },
    spec: { maxUnavailable: 1, selector: { matchLabels: { app: name } } },
  });
}

/** @param live the one that is there: what cannot be changed of it stays */
export function gatewayStatefulSet(
  wishes: GatewayWishes,
  { namespace, config, live, senderUrl }: StatefulSetContext,
): Wanted {
  const { name, spec } = wishes;
  return wanted(STATEFUL_SETS, {
    metadata: { name, namespace, labels: labelsOf(name) },
    spec: {
      replicas: spec.replicas ?? 1,
      serviceName: `${name}-svc`,
      // A gateway needs no other one.
      podManagementPolicy: 'Parallel',
      updateStrategy: { type: 'RollingUpdate' },
      selector: { matchLabels: { app: name } },
      template: gatewayPod(wishes, { config, senderUrl }),
      volumeClaimTemplates: live?.spec?.volumeClaimTemplates?.map(essentials) ?? [
        spoolClaim(wishes, config),
      ],
    },
  });
}

interface StatefulSetContext extends GatewayPodContext {
  readonly namespace: string;
  readonly live: StatefulSetObject | undefined;
}

function spoolClaim({ name, spec }: GatewayWishes, config: OperatorConfig): object {
  const storageClassName = spec.spool?.storageClassName ?? config.spoolStorageClass;
  return {
    metadata: { name: 'spool', labels: { app: name, [MANAGED_LABEL]: MANAGED_BY } },
    spec: {
      accessModes: ['ReadWriteOnce'],
      ...(storageClassName !== undefined && { storageClassName }),
      resources: { requests: { storage: String(spec.spool?.size ?? config.spoolSize) } },
    },
  };
}

/** Without what the API server adds. */
function essentials(claim: object): object {
  const { metadata, spec } = claim as {
    readonly metadata: { readonly name: string; readonly labels?: object };
    readonly spec: object;
  };
  const { name, labels } = metadata;
  return { metadata: { name, ...(labels && { labels }) }, spec };
}

function labelsOf(name: string): Readonly<Record<string, string>> {
  return {
    app: name,
    'app.kubernetes.io/name': 'kube-auditing-gateway',
    'app.kubernetes.io/part-of': 'kube-auditing',
    [MANAGED_LABEL]: MANAGED_BY,
  };
}

function wanted(type: ResourceType, object: KubeObject & { readonly spec: object }): Wanted {
  const hash = createHash('sha256').update(JSON.stringify(object)).digest('hex').slice(0, 16);
  const annotations = { [WISHES_ANNOTATION]: hash };
  return { type, object: { ...object, metadata: { ...object.metadata, annotations } } };
}
