import { AlertKind } from '@auditing/proto/alert';
import type { RaisedAlert } from '@auditing/proto/outbox';
import type { DeliveryEntry } from './alert-entry';
import { deliveryId } from './alert-ids';
import { summaryOf, summaryOfOne } from './group';
import type { Outgoing } from './receivers/receiver';

/**
 * An alert as it goes to one receiver, with the delivery id that was made when it was raised. What its group has come to
 * by now goes with it.
 */
export function outgoingOf(raised: RaisedAlert, delivery: DeliveryEntry): Outgoing {
  const { receiver, alert } = delivery;
  const planned = raised.deliveries.find((one) => one.receiver === receiver);
  // What was handed over was not planned; its id is made the same way, and so the same at each try.
  const id = planned?.id ?? deliveryId(raised.id, receiver);
  return {
    raised,
    kind: alert.kind,
    deliveryId: id.toString('hex'),
    summary: summaryNow(raised, delivery),
  };
}

function summaryNow(raised: RaisedAlert, { alert }: DeliveryEntry): Outgoing['summary'] {
  if (alert.kind !== AlertKind.DIGEST && alert.group) {
    const summary = summaryOf(alert.group, raised.alert);
    // After a start the first alert may be forgotten, and with it what its group had come to.
    return summary.count >= (raised.summary?.count ?? 0) ? summary : (raised.summary ?? summary);
  }
  return raised.summary ?? summaryOfOne(raised.alert, alert.raisedAtMs);
}
