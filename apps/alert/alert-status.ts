import {
  AlertKind,
  DeliveryState,
  type AlertStatus,
  type AlertSummary,
  type Delivery,
} from '@auditing/proto/alert';
import type { RaisedAlert } from '@auditing/proto/outbox';
import type { AlertEntry, DeliveryEntry } from './alert-entry';
import { deliveryId } from './alert-ids';
import { timestampOf } from './event-text';
import { summaryOf, summaryOfOne } from './group';
import type { Outbox } from './outbox';

const NO_BYTES = Buffer.alloc(0);

/** An alert as it is now; undefined if it was forgotten meanwhile. */
export async function readStatus(
  outbox: Outbox,
  alert: AlertEntry,
): Promise<AlertStatus | undefined> {
  if (outbox.index.get(alert.position) !== alert) return undefined;
  const raised = await outbox.load(alert).catch((error: unknown) => {
    if (outbox.index.get(alert.position) !== alert) return undefined;
    throw error;
  });
  if (raised === undefined) return undefined;
  const planned = new Map(raised.deliveries.map(({ receiver, id }) => [receiver, id]));
  const idOf = (receiver: string): string =>
    (planned.get(receiver) ?? deliveryId(raised.id, receiver)).toString('hex');
  return {
    id: raised.id,
    kind: alert.kind,
    alert: raised.alert,
    raisedAt: timestampOf(alert.raisedAtMs),
    group: raised.group,
    summary: summaryIn(raised, alert),
    deliveries: alert.deliveries.map((one) => deliveryStatus(one, idOf(one.receiver))),
  };
}

/** How far an alert is on its way to one receiver. */
function deliveryStatus(delivery: DeliveryEntry, id: string): Delivery {
  const { receiver, state, attemptCount, lastError, endedAtMs } = delivery;
  const isDelivered = state === DeliveryState.DELIVERED;
  return {
    receiver,
    id,
    state,
    attemptCount,
    lastError,
    deliveredAt: isDelivered ? timestampOf(endedAtMs) : undefined,
    digested: delivery.isDigested,
    digest: delivery.digest ? Buffer.from(delivery.digest.alert.id, 'latin1') : NO_BYTES,
    silencedBy: [...(delivery.suppression?.silencedBy ?? [])],
    acceptedBy: delivery.acceptedBy,
    inhibitedBy: [...(delivery.suppression?.inhibitedBy ?? [])],
  };
}

function summaryIn(raised: RaisedAlert, alert: AlertEntry): AlertSummary | undefined {
  switch (alert.kind) {
    case AlertKind.REPEAT:
    case AlertKind.STAGE:
      return undefined;
    case AlertKind.UPDATE:
    case AlertKind.DIGEST:
      return raised.summary;
    default:
      return alert.group
        ? summaryOf(alert.group, raised.alert)
        : summaryOfOne(raised.alert, alert.raisedAtMs);
  }
}
