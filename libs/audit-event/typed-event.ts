import {
  AuditEvent,
  type ObjectReference,
  type ResponseStatus,
  type Source,
  Strip,
  type UserInfo,
} from '@auditing/proto/event';
import { type DecodedEvent, decodeEvent } from './decoded-event';
import type { EventField, JsonValue } from './event-fields';
import { isJsonObject } from './field-keys';
import { jsonText } from './json-text';
import { timestampFromMicros } from './timestamp';

/** What is known of an archived event besides its bytes. */
export interface EventExtras {
  readonly key: Buffer;
  /** What the event is taken for if its own keys do not say it. */
  readonly listSource: Source;
  /** When the gateway received it, in microseconds since 1970. */
  readonly receivedAtUs?: number;
  /** The workspace that was filled in; used if the event has none of its own. */
  readonly workspace?: string;
  /** The rules that kept or raised it. */
  readonly rules?: readonly string[];
  /** The message of the first alerting rule. */
  readonly message?: string;
  /** Makes it out of the event, its workspace filled in, if it is not known; not called for bytes that are no event. */
  readonly messageOf?: ((event: DecodedEvent) => string) | undefined;
  /** What was removed from it. */
  readonly strip?: Strip;
  /** Whether the answer carries the bytes. Default false. */
  readonly includeRaw?: boolean;
}

const LONE_SURROGATE = /\p{Surrogate}/gu;

/**
 * The typed view of an event out of its archived bytes. It never throws because of what the event holds: a value of
 * another type than expected appears as its JSON text, or not at all where no text can be; bytes that are no event
 * give a view with the extras alone.
 */
export function typedEvent(bytes: Buffer, extras: EventExtras): AuditEvent {
  const event = decodeIfEvent(bytes, extras.listSource);
  event?.fillWorkspace(extras.workspace ?? '');
  return typed(event, bytes, extras);
}

/** The same of an event that has been decoded, its workspace filled in. */
export function typedDecodedEvent(event: DecodedEvent, extras: EventExtras): AuditEvent {
  const view = typed(event, event.bytes, extras);
  event.letGo();
  return view;
}

function typed(event: DecodedEvent | undefined, bytes: Buffer, extras: EventExtras): AuditEvent {
  const known = {
    key: extras.key,
    source: extras.listSource,
    workspace: extras.workspace ?? '',
    receivedAt: timestampFromMicros(extras.receivedAtUs ?? 0),
    rules: [...(extras.rules ?? [])],
    message: asText(extras.message ?? (event && extras.messageOf?.(event))),
    strip: extras.strip ?? Strip.UNSPECIFIED,
    raw: extras.includeRaw === true ? bytes : Buffer.alloc(0),
  };
  const base = AuditEvent.create(known);
  return event ? { ...base, ...ownFields(event) } : base;
}

function decodeIfEvent(bytes: Buffer, listSource: Source): DecodedEvent | undefined {
  try {
    return decodeEvent(bytes, listSource);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function ownFields(event: DecodedEvent): Partial<AuditEvent> {
  const text = (field: EventField) => asText(event.get(field));
  return {
    source: event.source,
    level: text('Level'),
    auditId: text('AuditID'),
    stage: text('Stage'),
    requestUri: text('RequestURI'),
    verb: text('Verb'),
    user: userInfo(event, 'User'),
    impersonatedUser: userInfo(event, 'ImpersonatedUser'),
    sourceIps: asTexts(event.get('SourceIPs')),
    userAgent: text('UserAgent'),
    objectRef: objectReference(event),
    responseStatus: responseStatus(event),
    requestReceivedTimestamp: timestampFromMicros(event.requestReceivedUs),
    stageTimestamp: timestampFromMicros(event.stageUs),
    annotations: annotations(event.get('Annotations')),
    workspace: text('Workspace'),
    cluster: text('Cluster'),
    devops: text('Devops'),
  };
}

function userInfo(event: DecodedEvent, field: 'User' | 'ImpersonatedUser'): UserInfo | undefined {
  if (!isJsonObject(event.get(field))) return undefined;
  return {
    username: asText(event.get(`${field}.username`)),
    uid: asText(event.get(`${field}.uid`)),
    groups: asTexts(event.get(`${field}.groups`)),
  };
}

function objectReference(event: DecodedEvent): ObjectReference | undefined {
  if (!isJsonObject(event.get('ObjectRef'))) return undefined;
  return {
    resource: asText(event.get('ObjectRef.Resource')),
    namespace: asText(event.get('ObjectRef.Namespace')),
    name: asText(event.get('ObjectRef.Name')),
    uid: asText(event.get('ObjectRef.UID')),
    apiGroup: asText(event.get('ObjectRef.APIGroup')),
    apiVersion: asText(event.get('ObjectRef.APIVersion')),
    resourceVersion: asText(event.get('ObjectRef.ResourceVersion')),
    subresource: asText(event.get('ObjectRef.Subresource')),
  };
}

function responseStatus(event: DecodedEvent): ResponseStatus | undefined {
  if (!isJsonObject(event.get('ResponseStatus'))) return undefined;
  return {
    code: asInt32(event.get('ResponseStatus.code')),
    status: asText(event.get('ResponseStatus.status')),
    reason: asText(event.get('ResponseStatus.reason')),
    message: asText(event.get('ResponseStatus.message')),
  };
}

function annotations(value: JsonValue | undefined): AuditEvent['annotations'] {
  if (!isJsonObject(value)) return {};
  // fromEntries defines keys; assigning one named __proto__ would change the prototype instead.
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, asText(item)]));
}

function asTexts(value: JsonValue | undefined): string[] {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? value.map((item) => asText(item as JsonValue)) : [asText(value)];
}

/** Text that protobuf can carry: no lone surrogates. */
function asText(value: JsonValue | undefined): string {
  if (value === undefined || value === null) return '';
  const text = typeof value === 'string' ? value : jsonText(value);
  return text.replace(LONE_SURROGATE, '\ufffd');
}

function asInt32(value: JsonValue | undefined): number {
  const number = Number(value ?? 0);
  return Number.isInteger(number) && Math.abs(number) < 2 ** 31 ? number : 0;
}
