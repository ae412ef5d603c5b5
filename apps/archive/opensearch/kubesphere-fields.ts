import type { DecodedEvent } from '@auditing/audit-event/decoded-event';
import type { EventField, JsonValue } from '@auditing/audit-event/event-fields';
import { isJsonObject } from '@auditing/audit-event/field-keys';
import { valueText } from '@auditing/audit-event/json-text';
import { documentOf, type KubesphereDocument } from '@auditing/audit-event/kubesphere-document';
import { textFromMicros } from '@auditing/audit-event/timestamp';

/** Larger bodies are left out, as KubeSphere does; the event itself has them. */
const BODY_MAX_BYTES = 16_384;

/** OpenSearch reads no date from here on: the year 10000. */
const DATES_END_US = 253_402_300_800_000_000;

const STATUS_TEXTS = ['status', 'message', 'reason'] as const;

/**
 * The document that KubeSphere's console reads, in types that its mapping takes.
 *
 * An event may hold anything anywhere. What another type than the mapping's would make OpenSearch refuse is its text
 * here, and times that are none are absent: the event's own bytes lie beside it.
 */
export function kubesphereFields(
  event: DecodedEvent,
  filled: { readonly message: string; readonly workspace: string },
): KubesphereDocument {
  const workspace = valueText(event.get('Workspace')) || filled.workspace;
  const document = documentOf(event, { message: filled.message, workspace });
  return {
    ...document,
    Annotations: textsByKey(event.get('Annotations')),
    RequestObject: shortBody(document.RequestObject),
    ResponseObject: shortBody(document.ResponseObject),
    RequestReceivedTimestamp: dateText(event.requestReceivedUs),
    StageTimestamp: dateText(event.stageUs),
    ResponseStatus: responseStatus(event),
  };
}

function responseStatus(event: DecodedEvent): JsonValue {
  if (!isJsonObject(event.get('ResponseStatus'))) return null;
  const code = event.get('ResponseStatus.code');
  const texts = STATUS_TEXTS.flatMap((name) => {
    const text = valueText(event.get(`ResponseStatus.${name}` satisfies EventField));
    return text === '' ? [] : [[name, text] as const];
  });
  return {
    metadata: {},
    ...(code === undefined || code === null
      ? {}
      : { code: Number.isSafeInteger(code) ? code : valueText(code) }),
    ...Object.fromEntries(texts),
  };
}

function textsByKey(value: JsonValue | undefined): JsonValue {
  if (!isJsonObject(value)) return null;
  // fromEntries defines keys; assigning one named __proto__ would change the prototype instead.
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, valueText(item)]));
}

function shortBody(text: JsonValue | undefined): JsonValue {
  return typeof text === 'string' && Buffer.byteLength(text) <= BODY_MAX_BYTES ? text : '';
}

function dateText(us: number): string | null {
  return us === 0 || us >= DATES_END_US ? null : textFromMicros(us);
}
