import { createHash } from 'node:crypto';
import type { Alert } from '@auditing/proto/alert';
import { AlertKind, ListRequest, RaiseRequest } from '@auditing/proto/alert';
import { AuditEvent, Priority } from '@auditing/proto/event';
import type { RaisedAlert } from '@auditing/proto/outbox';
import { Receiver } from '@auditing/proto/rule';
import { summaryOfOne } from '../group';
import type { Outgoing } from '../receivers/receiver';

const EPOCH = '0123456789abcdef';

/** Asks for all alerts that an answer may hold. */
export const ALL = ListRequest.fromPartial({ limit: 1_000 });

/** The exec of a pod; `name` makes it an event of its own. */
export function sampleAlert(name: string, fields: Partial<Alert> = {}): Alert {
  return {
    rule: 'alerting-rule.AttachOrExecPod',
    priority: Priority.WARNING,
    message: `admin exec Pod ${name} in Namespace default.`,
    event: AuditEvent.fromPartial({
      key: createHash('sha256').update(name).digest(),
      auditId: `audit-${name}`,
      verb: 'create',
      user: { username: 'admin', groups: ['system:masters', 'system:authenticated'] },
      objectRef: { resource: 'pods', subresource: 'exec', namespace: 'default', name },
      requestReceivedTimestamp: { seconds: 1_732_381_067n, nanos: 177_852_000 },
    }),
    ...fields,
  };
}

/** A batch of alerts; its sequence is its name. */
export function sampleRequest(sequence: number, alerts: Alert[]): RaiseRequest {
  return RaiseRequest.fromPartial({
    id: { epoch: EPOCH, sequence: BigInt(sequence) },
    alerts,
    settledBelow: 0n,
  });
}

/** Several alerts, `a-0` and so on. */
export function sampleAlerts(prefix: string, count: number, fields: Partial<Alert> = {}): Alert[] {
  return Array.from({ length: count }, (_, place) => sampleAlert(`${prefix}-${place}`, fields));
}

/** A receiver as the Webhook resource has it. */
export function sampleReceiver(type: string, url: string, name = type): Receiver {
  return Receiver.fromPartial({ name, type, url });
}

/** An alert as it goes to a receiver, by itself. */
export function outgoing(raised: RaisedAlert, deliveryId = 'ab'.repeat(32)): Outgoing {
  const summary = summaryOfOne(raised.alert, raised.raisedAtUs / 1_000);
  return { raised, kind: AlertKind.FIRST, deliveryId, summary };
}
