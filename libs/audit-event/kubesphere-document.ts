import type { AuditEvent } from '@auditing/proto/event';
import { decodeEvent, type DecodedEvent } from './decoded-event';
import type { BodyField } from './event-document';
import type { EventField, JsonValue } from './event-fields';
import { isJsonObject } from './field-keys';
import { keyText, looseMembers, skipSpace } from './json-bytes';
import { jsonText, valueText } from './json-text';

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

/** What a document says of an event that is not in its bytes. */
export interface DocumentExtras {
  /** Message of the first alerting rule that matched; empty without one. */
  readonly message: string;
  /** Workspace, sent or filled in. */
  readonly workspace: string;
}

/**
 * The document that KubeSphere's own archive holds of an event: Go-cased whoever sent it, lists joined by commas,
 * bodies as JSON text. Beside that, what the original loses: the impersonated user, the user agent, annotations, and
 * bodies of any size.
 *
 * @param event - with its raw bytes; of bytes that are no event there is a document without values
 */
export function kubesphereDocument(event: AuditEvent): KubesphereDocument {
  return documentOf(decodeIfEvent(event), event);
}

/** The same of an event that is decoded already. */
export function documentOf(
  event: DecodedEvent | undefined,
  { message, workspace }: DocumentExtras,
): KubesphereDocument {
  const value = (field: EventField): JsonValue => event?.get(field) ?? null;
  const text = (field: EventField): string => valueText(value(field));
  return {
    AuditID: text('AuditID'),
    Annotations: writable(value('Annotations')),
    Cluster: text('Cluster'),
    Devops: text('Devops'),
    ImpersonatedUser: event ? userOf(event, 'ImpersonatedUser') : null,
    Level: text('Level'),
    Message: message,
    ObjectRef: event ? objectRefOf(event) : null,
    RequestObject: event ? bodyText(event.bytes, 'RequestObject') : '',
    RequestReceivedTimestamp: text('RequestReceivedTimestamp') || null,
    RequestURI: text('RequestURI'),
    ResponseObject: event ? bodyText(event.bytes, 'ResponseObject') : '',
    ResponseStatus: statusOf(writable(value('ResponseStatus'))),
    SourceIPs: joined(value('SourceIPs')),
    Stage: text('Stage'),
    StageTimestamp: text('StageTimestamp') || null,
    User: event ? userOf(event, 'User') : null,
    UserAgent: text('UserAgent'),
    Verb: text('Verb'),
    Workspace: workspace,
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
    UID: valueText(event.get(`${field}.uid`)),
    Username: valueText(event.get(`${field}.username`)),
  };
}

function objectRefOf(event: DecodedEvent): JsonValue {
  if (!isJsonObject(event.get('ObjectRef'))) return null;
  return Object.fromEntries(
    OBJECT_REF.map((key) => [key, valueText(event.get(`ObjectRef.${key}`))] as const),
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
    ? value.map((item: JsonValue) => valueText(item)).join(',')
    : valueText(value);
}

/** The value, unless it is nested so deeply that it cannot be written again. */
function writable(value: JsonValue): JsonValue {
  return jsonText(value) === '' ? null : value;
}
