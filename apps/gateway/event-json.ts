import { textFromMicros, microsFromTimestamp } from '@auditing/audit-event/timestamp';
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
export function word(text: string, prefix: string): string | undefined {
  const bare = text.slice(prefix.length);
  return bare === 'UNSPECIFIED' ? undefined : bare.toLowerCase().replaceAll('_', '-');
}
