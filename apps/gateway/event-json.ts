import { textFromMicros, microsFromTimestamp } from '@auditing/audit-event/timestamp';
import type { AlertStatus } from '@auditing/proto/alert';
import { deliveryStateToJSON } from '@auditing/proto/alert';
import { priorityToJSON, sourceToJSON, stripToJSON, type AuditEvent } from '@auditing/proto/event';
import { severityToJSON, type RuleStatus } from '@auditing/proto/rule';
import type { Timestamp } from '@auditing/proto/timestamp';

/** An event as our own API writes it: the typed event, with the key in hexadecimal. */
export function eventJson(event: AuditEvent): object {
  // Where to go on is said outside of it.
  const { raw, resumeToken: _resumeToken, ...fields } = event;
  return {
    ...fields,
    key: event.key.toString('hex'),
    source: word(sourceToJSON(event.source), 'SOURCE_'),
    requestReceivedTimestamp: timeText(event.requestReceivedTimestamp),
    stageTimestamp: timeText(event.stageTimestamp),
    receivedAt: timeText(event.receivedAt),
    strip: word(stripToJSON(event.strip), 'STRIP_'),
    // As text: the exact bytes are at events/{key}/raw.
    ...(raw.length > 0 && { raw: raw.toString() }),
  };
}

/** An alert and how it fares. */
export function alertJson({ alert, raisedAt, deliveries }: AlertStatus): object {
  return {
    rule: alert?.rule,
    priority: alert && word(priorityToJSON(alert.priority), 'PRIORITY_'),
    message: alert?.message,
    raisedAt: timeText(raisedAt),
    deliveries: deliveries.map((delivery) => ({
      ...delivery,
      state: word(deliveryStateToJSON(delivery.state), 'DELIVERY_STATE_'),
      deliveredAt: timeText(delivery.deliveredAt),
    })),
    event: alert?.event && eventJson(alert.event),
  };
}

/** A rule and how it fares. */
export function ruleJson(rule: RuleStatus): object {
  return {
    ...rule,
    priority: word(priorityToJSON(rule.priority), 'PRIORITY_'),
    matchCount: Number(rule.matchCount),
    typeMismatchCount: Number(rule.typeMismatchCount),
    diagnostics: rule.diagnostics.map((diagnostic) => ({
      ...diagnostic,
      severity: word(severityToJSON(diagnostic.severity), 'SEVERITY_'),
    })),
  };
}

/** A moment as of RFC 3339 in UTC; undefined where there is none. */
export function timeText(timestamp: Timestamp | undefined): string | undefined {
  return textFromMicros(microsFromTimestamp(timestamp)) || undefined;
}

/** The word of an enum without its prefix; undefined for the one that says nothing. */
function word(text: string, prefix: string): string | undefined {
  const bare = text.slice(prefix.length);
  return bare === 'UNSPECIFIED' ? undefined : bare.toLowerCase().replaceAll('_', '-');
}
