import {
  decodeEvent,
  type BodyField,
  type DecodedEvent,
} from '@auditing/audit-event/decoded-event';
import type { EventField, JsonValue } from '@auditing/audit-event/event-fields';
import { isJsonObject } from '@auditing/audit-event/field-keys';
import { jsonText } from '@auditing/audit-event/json-text';
import { keyText, looseMembers, skipSpace } from '@auditing/audit-event/json-bytes';
import type { AuditEvent } from '@auditing/proto/event';

/** An event as KubeSphere's console reads it. */
export type KubesphereDocument = Readonly<Record<string, JsonValue>>;

const OBJECT_REF = [
  'Resource',
  'Namespace',
  'Name',
  'UID',
  'APIGroup',
  'APIVersion',
  'ResourceVersion',
  'Subresource',
] as const;

/**
 * The document that KubeSphere's own archive holds of an event: Go-cased whoever sent it, lists joined by commas,
 * bodies as JSON text. Beside that, what the original loses: the impersonated user, the user agent, annotations, and
 * bodies of any size.
 *
 * @param event - with its raw bytes
 */
export function kubesphereDocument(event: AuditEvent): KubesphereDocument {
  const decoded = decodeIfEvent(event);
  const value = (field: EventField): JsonValue => decoded?.get(field) ?? null;
  const text = (field: EventField): string => asText(value(field));
  return {
    AuditID: text('AuditID'),
    Annotations: writable(value('Annotations')),
    Cluster: text('Cluster'),
    Devops: text('Devops'),
    ImpersonatedUser: decoded ? userOf(decoded, 'ImpersonatedUser') : null,
    Level: text('Level'),
    Message: event.message,
    ObjectRef: decoded ? objectRefOf(decoded) : null,
    RequestObject: bodyText(event.raw, 'RequestObject'),
    RequestReceivedTimestamp: text('RequestReceivedTimestamp') || null,
    RequestURI: text('RequestURI'),
    ResponseObject: bodyText(event.raw, 'ResponseObject'),
    ResponseStatus: statusOf(writable(value('ResponseStatus'))),
    SourceIPs: joined(value('SourceIPs')),
    Stage: text('Stage'),
    StageTimestamp: text('StageTimestamp') || null,
    User: decoded ? userOf(decoded, 'User') : null,
    UserAgent: text('UserAgent'),
    Verb: text('Verb'),
    Workspace: event.workspace,
  };
}

function decodeIfEvent({ raw, source }: AuditEvent): DecodedEvent | undefined {
  try {
    return decodeEvent(raw, source);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function userOf(event: DecodedEvent, field: 'User' | 'ImpersonatedUser'): JsonValue {
  if (!isJsonObject(event.get(field))) return null;
  return {
    Groups: joined(event.get(`${field}.groups`)),
    UID: asText(event.get(`${field}.uid`)),
    Username: asText(event.get(`${field}.username`)),
  };
}

function objectRefOf(event: DecodedEvent): JsonValue {
  if (!isJsonObject(event.get('ObjectRef'))) return null;
  return Object.fromEntries(
    OBJECT_REF.map((key) => [key, asText(event.get(`ObjectRef.${key}`))] as const),
  );
}

function statusOf(status: JsonValue): JsonValue {
  return isJsonObject(status) ? { metadata: {}, ...status } : null;
}

/** The very bytes of a body: parsing it and writing it again would change large numbers. */
function bodyText(raw: Buffer, field: BodyField): string {
  let text = '';
  for (const { keyStart, keyEnd, valueStart, valueEnd } of looseMembers(raw, skipSpace(raw, 0))) {
    if (keyText(raw, keyStart, keyEnd)?.toLowerCase() !== field.toLowerCase()) continue;
    text = raw.toString('utf8', valueStart, valueEnd);
  }
  return text === 'null' ? '' : text;
}

function joined(value: JsonValue | undefined): string {
  return Array.isArray(value)
    ? value.map((item: JsonValue) => asText(item)).join(',')
    : asText(value);
}

/** The value, unless it is nested so deeply that it cannot be written again. */
function writable(value: JsonValue): JsonValue {
  return jsonText(value) === '' ? null : value;
}

function asText(value: JsonValue | undefined): string {
  if (value === undefined || value === null) return '';
  return typeof value === 'string' ? value : jsonText(value);
}
