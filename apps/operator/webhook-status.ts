import { isDeepStrictEqual } from 'node:util';
import { apply } from '@auditing/kubernetes/apply';
import type { WebhookStatusFields } from '@auditing/kubernetes/crds/webhook-schema';
import { datedConditions, fact, type Fact } from '@auditing/kubernetes/dated-conditions';
import type { KubeClient } from '@auditing/kubernetes/kube-client';
import type { KubeObject } from '@auditing/kubernetes/kube-object';
import { FIELD_MANAGER, WEBHOOKS, type StatefulSetObject, type WebhookObject } from './kinds';

/** The part of a Webhook's status that the operator knows. */
export function gatewayStatus(
  webhook: WebhookObject,
  statefulSet: StatefulSetObject | undefined,
  failure: string | undefined,
): WebhookStatusFields {
  return {
    replicas: statefulSet?.status?.replicas ?? 0,
    readyReplicas: statefulSet?.status?.readyReplicas ?? 0,
    conditions: datedConditions(webhook, [available(statefulSet, failure)]),
  };
}

function available(statefulSet: StatefulSetObject | undefined, failure: string | undefined): Fact {
  if (failure !== undefined) return fact('Available', false, ['Failing', failure]);
  const wanted = statefulSet?.spec?.replicas ?? 0;
  const ready = statefulSet?.status?.readyReplicas ?? 0;
  const words = `${ready} of ${wanted} gateways take events`;
  return ready >= wanted && wanted > 0
    ? fact('Available', true, ['GatewaysReady', words])
    : fact('Available', false, [
        'GatewaysNotReady',
        wanted === 0 ? 'spec.replicas is 0: nothing takes events' : words,
      ]);
}

/** Writes it if it says something else than what is there. */
export async function writeStatus(
  client: KubeClient,
  { webhook, status }: { readonly webhook: WebhookObject; readonly status: WebhookStatusFields },
  signal: AbortSignal,
): Promise<void> {
  const live: Partial<WebhookStatusFields> = webhook.status ?? {};
  const isSame =
    live.replicas === status.replicas &&
    live.readyReplicas === status.readyReplicas &&
    (status.conditions ?? []).every((one) =>
      isDeepStrictEqual(
        one,
        live.conditions?.find(({ type }) => type === one.type),
      ),
    );
  if (isSame) return;
  const object = { metadata: { name: webhook.metadata.name }, status } as KubeObject;
  await apply(
    client,
    { type: WEBHOOKS, object },
    { fieldManager: FIELD_MANAGER, subresource: 'status', signal },
  );
}
