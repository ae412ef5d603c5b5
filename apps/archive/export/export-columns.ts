import { sourceText } from '@auditing/audit-event/event-table';
import { microsFromTimestamp, textFromMicros } from '@auditing/audit-event/timestamp';
import type { AuditEvent } from '@auditing/proto/event';
import type { Timestamp } from '@auditing/proto/timestamp';

/** How the values of a column are written. */
export type ExportKind = 'text' | 'list' | 'time' | 'number';

/** One column of an exported table. */
export interface ExportColumn {
  readonly name: string;
  readonly kind: ExportKind;
  /** Text, a list of texts, a time in RFC 3339, or a number; undefined where the event lacks it. */
  readonly value: (event: AuditEvent) => string | number | readonly string[] | undefined;
}

/** The columns of an exported table, in order. Names are those of query parameters. */
export const EXPORT_COLUMNS: readonly ExportColumn[] = [
  time('time', (event) => event.requestReceivedTimestamp),
  time('stage_time', (event) => event.stageTimestamp),
  time('received_at', (event) => event.receivedAt),
  text('key', (event) => event.key.toString('hex')),
  text('audit_id', (event) => event.auditId),
  text('source', (event) => sourceText(event.source)),
  text('level', (event) => event.level),
  text('stage', (event) => event.stage),
  text('verb', (event) => event.verb),
  text('user', (event) => event.user?.username),
  list('groups', (event) => event.user?.groups),
  text('impersonated_user', (event) => event.impersonatedUser?.username),
  list('source_ips', (event) => event.sourceIps),
  text('user_agent', (event) => event.userAgent),
  text('namespace', (event) => event.objectRef?.namespace),
  text('resource', (event) => event.objectRef?.resource),
  text('subresource', (event) => event.objectRef?.subresource),
  text('name', (event) => event.objectRef?.name),
  text('api_group', (event) => event.objectRef?.apiGroup),
  text('api_version', (event) => event.objectRef?.apiVersion),
  { name: 'code', kind: 'number', value: (event) => event.responseStatus?.code },
  text('status', (event) => event.responseStatus?.status),
  text('reason', (event) => event.responseStatus?.reason),
  text('request_uri', (event) => event.requestUri),
  text('workspace', (event) => event.workspace),
  text('cluster', (event) => event.cluster),
  text('devops', (event) => event.devops),
  list('rules', (event) => event.rules),
  text('message', (event) => event.message),
];

function text(name: string, value: (event: AuditEvent) => string | undefined): ExportColumn {
  return { name, kind: 'text', value };
}

function list(
  name: string,
  value: (event: AuditEvent) => readonly string[] | undefined,
): ExportColumn {
  return { name, kind: 'list', value };
}

function time(name: string, value: (event: AuditEvent) => Timestamp | undefined): ExportColumn {
  return { name, kind: 'time', value: (event) => rfc3339(value(event)) };
}

function rfc3339(time: Timestamp | undefined): string | undefined {
  return time === undefined ? undefined : textFromMicros(microsFromTimestamp(time));
}
