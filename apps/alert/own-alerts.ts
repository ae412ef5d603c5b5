import { createHash } from 'node:crypto';
import { AlertKind, type Alert, type AlertSummary } from '@auditing/proto/alert';
import { AuditEvent, Priority } from '@auditing/proto/event';
import type { RaisedAlert } from '@auditing/proto/outbox';
import { deliveryId } from './alert-ids';
import type { DigestPile } from './digest-piles';
import { timestampOf } from './event-text';
import type { Rate } from './token-buckets';

/** What an alert that the service makes is made of. */
interface OwnAlert {
  readonly kind: AlertKind;
  readonly alert: Alert;
  readonly receivers: readonly string[];
  readonly nowMs: number;
  /** Id of the first alert of its group; empty for none. */
  readonly group?: Buffer;
  readonly summary?: AlertSummary;
  /** What tells it from others of its kind. */
  readonly mark: string;
}

/** Tells receivers what a group has come to, under the labels of its first alert. */
export function updateAlert(
  first: RaisedAlert,
  of: { readonly summary: AlertSummary; readonly receivers: readonly string[]; nowMs: number },
): RaisedAlert | undefined {
  if (first.alert === undefined) return undefined;
  const mark = `${first.id.toString('hex')}/${of.summary.count}/${of.summary.outcome}/${of.nowMs}`;
  return own({ ...of, kind: AlertKind.UPDATE, alert: first.alert, group: first.id, mark });
}

/** Stands for all alerts of a pile. `eventKeys` are those of its first few. */
export function digestAlert(
  { rule, receiver, deliveries }: DigestPile,
  of: { readonly eventKeys: readonly Buffer[]; readonly nowMs: number; readonly rate: Rate },
): RaisedAlert {
  const alerts = deliveries.map(({ alert }) => alert);
  let [firstMs, lastMs] = [Infinity, 0];
  let priority = Priority.UNSPECIFIED;
  for (const alert of alerts) {
    firstMs = Math.min(firstMs, alert.seenAtMs);
    lastMs = Math.max(lastMs, alert.seenAtMs);
    if (alert.priority > priority) ({ priority } = alert);
  }
  const [from, to] = [new Date(firstMs), new Date(lastMs)].map((at) => at.toISOString());
  const message = `${alerts.length} more alerts of ${rule} from ${from} to ${to}, above the rate of ${of.rate.perMinute} a minute`;
  const summary: AlertSummary = {
    count: alerts.length,
    firstSeen: timestampOf(firstMs),
    lastSeen: timestampOf(lastMs),
    outcome: '',
    auditIds: [],
    eventKeys: [...of.eventKeys],
  };
  return own({
    kind: AlertKind.DIGEST,
    alert: { rule, priority, message, event: undefined },
    receivers: [receiver],
    nowMs: of.nowMs,
    summary,
    mark: `${rule}/${receiver}/${alerts[0]?.position ?? 0}`,
  });
}

/** Says that the way to the receivers works. */
export function heartbeatAlert(receivers: readonly string[], nowMs: number): RaisedAlert {
  const alert: Alert = {
    rule: 'auditing.AuditingHeartbeat',
    priority: Priority.INFO,
    message: 'Audit alerts reach this receiver. Be told when this alert ends.',
    event: undefined,
  };
  return own({ kind: AlertKind.HEARTBEAT, alert, receivers, nowMs, mark: String(nowMs) });
}

/** Shows that the way to the receivers works. */
export function probeAlert(
  marker: string,
  { receivers, nowMs }: { readonly receivers: readonly string[]; readonly nowMs: number },
): RaisedAlert {
  const seen = timestampOf(nowMs);
  const alert: Alert = {
    rule: 'auditing.AuditingProbe',
    // It must overtake nothing that is real, and wait for nothing that is not urgent.
    priority: Priority.INFO,
    message: `Probe ${marker}: somebody asked whether audit alerts arrive. Nothing happened.`,
    event: AuditEvent.fromPartial({
      key: createHash('sha256').update(marker).digest(),
      auditId: marker,
      requestReceivedTimestamp: seen,
      receivedAt: seen,
    }),
  };
  return own({ kind: AlertKind.PROBE, alert, receivers, nowMs, mark: marker });
}

function own({ kind, alert, receivers, nowMs, group, summary, mark }: OwnAlert): RaisedAlert {
  const id = createHash('sha256').update(`own alert/${kind}/${mark}`).digest();
  return {
    id,
    alert,
    raisedAtUs: nowMs * 1_000,
    deliveries: receivers.map((receiver) => ({
      receiver,
      id: deliveryId(id, receiver),
      digested: false,
    })),
    kind,
    group: group ?? Buffer.alloc(0),
    summary,
  };
}
