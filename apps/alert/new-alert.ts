import { AlertKind } from '@auditing/proto/alert';
import { Priority } from '@auditing/proto/event';
import type { RaisedAlert } from '@auditing/proto/outbox';
import type { NewAlert } from './alert-index';
import { millisOf, requestMs } from './event-text';

const KNOWN_PRIORITIES = new Set([Priority.DEBUG, Priority.INFO, Priority.WARNING]);

/** What the index keeps of an alert. */
export function newAlert(position: number, raised: RaisedAlert): NewAlert {
  const raisedAtMs = raised.raisedAtUs / 1_000;
  return {
    position,
    id: raised.id.toString('latin1'),
    kind: raised.kind === AlertKind.UNSPECIFIED ? AlertKind.FIRST : raised.kind,
    rule: raised.alert?.rule ?? '',
    priority: knownPriority(raised.alert?.priority),
    raisedAtMs,
    receivedAtMs: millisOf(raised.alert?.event?.receivedAt) ?? raisedAtMs,
    seenAtMs: requestMs(raised.alert?.event) ?? raisedAtMs,
    planned: raised.deliveries.map(({ receiver, digested }) => ({
      receiver,
      isDigested: digested,
    })),
  };
}

/** A priority that a later release invents goes out after those that are known here. */
function knownPriority(priority: Priority = Priority.UNSPECIFIED): Priority {
  return KNOWN_PRIORITIES.has(priority) ? priority : Priority.UNSPECIFIED;
}
