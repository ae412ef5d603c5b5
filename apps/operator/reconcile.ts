import type { KubeClient } from '@auditing/kubernetes/kube-client';
import type { KubeObject } from '@auditing/kubernetes/kube-object';
import type { Informer } from '@auditing/kubernetes/informer';
import type { Logger } from 'pino';
import { applyWanted, type Applied } from './apply';
import { endOf } from './certificates';
import type { OperatorConfig } from './config';
import {
  gatewayDisruptionBudget,
  gatewayService,
  gatewayStatefulSet,
  senderUrlOf,
  type Wanted,
} from './gateway-objects';
import { isOriginalImage, wishesOf, type GatewayWishes } from './gateway-pod';
import type { KubeEvents } from './kube-events';
import type { ServiceObject, WebhookObject } from './kinds';
import type { OperatorMetrics } from './metrics';
import { ensureTls } from './tls';
import { owned } from './tls-secrets';
import type { Watched } from './watch';
import { gatewayStatus, writeStatus } from './webhook-status';

/** What reconciling works with. */
export interface ReconcileParts {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly config: OperatorConfig;
  readonly watched: Watched;
  readonly events: KubeEvents;
  readonly metrics: OperatorMetrics;
  readonly log: Logger;
  readonly now: () => Date;
}

/**
 * Makes the gateways of a Webhook resource as it wants them: Service, certificate, StatefulSet, PodDisruptionBudget, in
 * this order, because the certificate is for the address of the Service. What goes with the Webhook is removed by
 * Kubernetes; volumes stay.
 *
 * @returns whether all is as it should be; the reason is in the status of the resource and in the log
 */
export async function reconcile(
  webhook: WebhookObject,
  parts: ReconcileParts,
  signal: AbortSignal,
): Promise<boolean> {
  const { client, watched, events, metrics, log } = parts;
  const { name } = webhook.metadata;
  let failure: string | undefined;
  try {
    await makeAll(webhook, parts, signal);
    metrics.reconciled('done');
  } catch (error) {
    if (signal.aborted) return true;
    failure = error instanceof Error ? error.message : String(error);
    metrics.reconciled('failed');
    log.error({ err: error, webhook: name }, 'gateways not made as wanted; tried again');
    await events.tell(webhook, { type: 'Warning', reason: 'Failed', message: failure }, signal);
  }
  const statefulSet = watched.statefulSets.objects().get(`${parts.namespace}/${name}`);
  const status = gatewayStatus(webhook, statefulSet, failure);
  await writeStatus(client, { webhook, status }, signal).catch((error: unknown) => {
    if (!signal.aborted) log.warn({ err: error, webhook: name }, 'status not written');
    failure ??= 'status not written';
  });
  return failure === undefined;
}

async function makeAll(
  webhook: WebhookObject,
  parts: ReconcileParts,
  signal: AbortSignal,
): Promise<void> {
  const { namespace, config, watched } = parts;
  const { name } = webhook.metadata;
  const wishes = wishesOf(name, webhook.spec ?? {}, config);
  const make = (wanted: Wanted, known: Informer<KubeObject>): Promise<Applied> =>
    makeOne({ webhook, wanted, known }, parts, signal);
  await tellOfImage(webhook, parts, signal);
  const service = await make(gatewayService(wishes, namespace), watched.services);
  if (wishes.useTls)
    await makeCertificate({ webhook, wishes, service: service.object }, parts, signal);
  const live = watched.statefulSets.objects().get(`${namespace}/${name}`);
  const senderUrl = senderUrlOf(wishes, namespace, addressOf(service.object));
  const context = { namespace, config, live, senderUrl };
  await make(gatewayStatefulSet(wishes, context), watched.statefulSets);
  await make(gatewayDisruptionBudget(wishes, namespace, watched.budgetType), watched.budgets);
}

async function makeOne(
  of: { webhook: WebhookObject; wanted: Wanted; known: Informer<KubeObject> },
  { client, events, metrics }: ReconcileParts,
  signal: AbortSignal,
): Promise<Applied> {
  const { webhook, wanted, known } = of;
  const { type, object } = wanted;
  const { namespace = '', name } = object.metadata;
  const live = known.objects().get(`${namespace}/${name}`);
  const mine = owned(object, { ...webhook, kind: 'Webhook' });
  const applied = await applyWanted(client, { type, object: mine }, { live, signal });
  if (applied.outcome !== 'unchanged') {
    metrics.applied(type.kind, applied.outcome);
    const [reason, verb] = applied.outcome === 'created' ? ['Created', 'made'] : ['Updated', 'set'];
    const message = `${verb} ${type.kind} ${namespace}/${name}`;
    await events.tell(webhook, { type: 'Normal', reason, message }, signal);
  }
  return applied;
}

async function makeCertificate(
  of: { webhook: WebhookObject; wishes: GatewayWishes; service: ServiceObject },
  { client, namespace, events, metrics, now }: ReconcileParts,
  signal: AbortSignal,
): Promise<void> {
  const { webhook, wishes, service } = of;
  const address = addressOf(service);
  const host = `${wishes.name}-svc`;
  const names = [`${host}.${namespace}.svc`, `${host}.${namespace}`, host, 'localhost'];
  const serverName = `${wishes.name}-secret`;
  const { written, cert } = await ensureTls(
    { client, signal, mark: (secret) => owned(secret, { ...webhook, kind: 'Webhook' }) },
    {
      serverName,
      authorityName: `${wishes.name}-ca`,
      hosts: address === undefined ? names : [...names, address],
      ...{ namespace, now: now() },
    },
  );
  const endsAt = endOf(cert ?? '');
  if (endsAt) metrics.certificate(serverName, endsAt);
  for (const name of written) {
    const message = `made the certificate of Secret ${namespace}/${name}`;
    await events.tell(webhook, { type: 'Normal', reason: 'CertificateMade', message }, signal);
  }
}

function addressOf({ spec = {} }: ServiceObject): string | undefined {
  const { clusterIP = '' } = spec;
  return clusterIP === '' || clusterIP === 'None' ? undefined : clusterIP;
}

async function tellOfImage(
  webhook: WebhookObject,
  { config, events }: ReconcileParts,
  signal: AbortSignal,
): Promise<void> {
  const { image = '' } = webhook.spec ?? {};
  const { metadata, status } = webhook;
  const known = status?.conditions?.find(({ type }) => type === 'Available');
  // Once for each edit: afterwards the status speaks of this generation.
  if (!isOriginalImage(image) || known?.observedGeneration === metadata.generation) return;
  const message = `spec.image ${image} is the original webhook, which cannot run here; ${config.gatewayImage} is used: remove spec.image`;
  await events.tell(webhook, { type: 'Warning', reason: 'ImageReplaced', message }, signal);
}
