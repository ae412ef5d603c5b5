import {
  alertKindToJSON,
  deliveryStateToJSON,
  type AlertDeadLetter,
  type AlertStatus,
  type AlertSummary,
  type Delivery,
  type ReceiverStatus,
} from '@auditing/proto/alert';
import { priorityToJSON } from '@auditing/proto/event';
import { eventJson, timeText, word } from './event-json';

/** An alert and how it fares; ids and event keys in hexadecimal. */
export function alertJson(status: AlertStatus): object {
  const { alert, id, kind, group, summary, raisedAt, deliveries } = status;
  return {
    id: hexOrNone(id),
    kind: word(alertKindToJSON(kind), 'ALERT_KIND_'),
    group: hexOrNone(group),
    rule: alert?.rule,
    priority: alert && word(priorityToJSON(alert.priority), 'PRIORITY_'),
    message: alert?.message,
    raisedAt: timeText(raisedAt),
    summary: summary && summaryJson(summary),
    deliveries: deliveries.map(deliveryJson),
    event: alert?.event && eventJson(alert.event),
  };
}

/** A delivery that was given up, with its alert. */
export function deadDeliveryJson({ alert, delivery, deadAt }: AlertDeadLetter): object {
  return {
    deadAt: timeText(deadAt),
    delivery: delivery && deliveryJson(delivery),
    alert: alert && alertJson(alert),
  };
}

/** A receiver and how it fares. */
export function receiverJson(receiver: ReceiverStatus): object {
  return { ...receiver, oldestPending: timeText(receiver.oldestPending) };
}

function deliveryJson(delivery: Delivery): object {
  return {
    ...delivery,
    state: word(deliveryStateToJSON(delivery.state), 'DELIVERY_STATE_'),
    deliveredAt: timeText(delivery.deliveredAt),
    digest: hexOrNone(delivery.digest),
  };
}

function summaryJson({ firstSeen, lastSeen, eventKeys, ...rest }: AlertSummary): object {
  return {
    ...rest,
    firstSeen: timeText(firstSeen),
    lastSeen: timeText(lastSeen),
    eventKeys: eventKeys.map((key) => key.toString('hex')),
  };
}

function hexOrNone(bytes: Buffer): string | undefined {
  return bytes.length === 0 ? undefined : bytes.toString('hex');
}
