import { decodeEvent } from '@auditing/audit-event/decoded-event';
import type { JsonValue } from '@auditing/audit-event/event-fields';
import { ObjectVersion } from '@auditing/proto/archive';
import type { AuditEvent } from '@auditing/proto/event';

type JsonObject = Readonly<Record<string, JsonValue>>;

/** What an event shows of an object. */
export interface ShownVersion {
  readonly version: ObjectVersion;
  /** The object, or the patch; undefined if it shows none. */
  readonly body: JsonObject | undefined;
}

const NOTHING: ShownVersion = { version: ObjectVersion.UNSPECIFIED, body: undefined };
const DRY_RUN = /[?&]dryRun=/;

/**
 * What an event shows of the object named `name`. Only requests that changed it count: what was read was not changed by the
 * reader, and what was refused or only tried was not changed at all.
 */
export function shownVersion(event: AuditEvent, name: string): ShownVersion {
  const { verb, requestUri } = event;
  const code = event.responseStatus?.code ?? 0;
  const isSubresource = (event.objectRef?.subresource ?? '') !== '';
  const writes = verb === 'update' || verb === 'patch' || (verb === 'create' && !isSubresource);
  if (!writes || code < 200 || code > 299 || DRY_RUN.test(requestUri)) return NOTHING;
  const { request, response } = bodiesOf(event);
  if (response !== undefined && kindOf(response) !== 'Status' && isNamed(response, name)) {
    return { version: ObjectVersion.RESPONSE, body: response };
  }
  if (request === undefined) return NOTHING;
  if (verb === 'patch') return { version: ObjectVersion.PATCH, body: request };
  return isNamed(request, name) ? { version: ObjectVersion.REQUEST, body: request } : NOTHING;
}

/** True if an event without a name speaks of the object all the same: its name was made, or it was removed with others. */
export function speaksOf(event: AuditEvent, name: string): boolean {
  const { request, response } = bodiesOf(event);
  const bodies = [request, response].filter((body) => body !== undefined);
  return bodies.some((body) => {
    const items = body.items;
    const all = Array.isArray(items) ? (items as readonly JsonValue[]) : [body];
    return all.some((one) => isObject(one) && nameOf(one) === name);
  });
}

/** `kind` of an object; empty without one. */
export function kindOf(body: JsonObject): string {
  return typeof body.kind === 'string' ? body.kind : '';
}

/** metadata.uid of an object; empty without one. */
export function uidOf({ metadata }: JsonObject): string {
  return isObject(metadata) && typeof metadata.uid === 'string' ? metadata.uid : '';
}

function bodiesOf(
  event: AuditEvent,
): Readonly<Record<'request' | 'response', JsonObject | undefined>> {
  const decoded = decodeEvent(event.raw, event.source);
  const request = decoded.get('RequestObject');
  const response = decoded.get('ResponseObject');
  return {
    request: isObject(request) ? request : undefined,
    response: isObject(response) ? response : undefined,
  };
}

function isNamed(body: JsonObject, name: string): boolean {
  const own = nameOf(body);
  return own === '' || own === name;
}

function nameOf({ metadata }: JsonObject): string {
  return isObject(metadata) && typeof metadata.name === 'string' ? metadata.name : '';
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
