import { Source, Strip } from '@auditing/proto/event';
import type { EventField, EventFields, JsonValue } from './event-fields';
import {
  type JsonObject,
  type KeyNames,
  fieldKeys,
  findExactKey,
  findKey,
  hasOddKeys,
  isJsonObject,
} from './field-keys';
import { MAX_DEPTH, keyText, looseMembers, skipSpace } from './json-bytes';
import { stripBodies } from './strip';
import { microsFromText } from './timestamp';
import { isValidJson } from './valid-json';

/** Which of the two bodies of an event. */
export type BodyField = 'RequestObject' | 'ResponseObject';

/**
 * Above this size the request and response objects of an event are checked but not built before they are asked for.
 * Below it one JSON.parse of everything is cheaper.
 */
const LAZY_ABOVE_BYTES = 4096;

const BODY_KEYS: ReadonlySet<string> = new Set(['requestobject', 'responseobject']);
const NULL = Buffer.from('null');
/** Stands for a body that is not built: any value but null will do. */
const PLACEHOLDER = Buffer.from('0');

/** One event, read out of its own bytes. */
export class DecodedEvent implements EventFields {
  private filledWorkspace = '';
  /** True if a top-level key has a case that no API server sends, which makes every look-up slower. */
  private oddKeys: boolean | undefined;

  /** Use decodeEvent. */
  constructor(
    /** The event as received or, after `stripped`, as archived. */
    readonly bytes: Buffer,
    readonly source: Source,
    private readonly parts: EventParts,
  ) {}

  /** RequestReceivedTimestamp in microseconds since 1970 (UTC); 0 where absent or unreadable. */
  get requestReceivedUs(): number {
    return microsFromText(this.get('RequestReceivedTimestamp'));
  }

  /** StageTimestamp, likewise. */
  get stageUs(): number {
    return microsFromText(this.get('StageTimestamp'));
  }

  get(field: EventField): JsonValue | undefined {
    const keys = fieldKeys(field);
    const top = this.top(keys.top);
    if (!keys.nested) {
      if (field === 'Verb' && typeof top === 'string') return top.toLowerCase();
      if (field === 'Workspace' && (top ?? '') === '') return this.filledWorkspace;
      return top ?? (keys.isText ? '' : undefined);
    }
    if (!isJsonObject(top)) return undefined;
    const key = findKey(top, keys.nested);
    const value = key === undefined ? undefined : top[key];
    return value ?? (keys.isText ? '' : undefined);
  }

  other(key: string): JsonValue | undefined {
    const { head } = this.parts;
    return Object.hasOwn(head, key) ? this.valueOf(key) : undefined;
  }

  /** True if the event has this body and it is not null. It is not built for that. */
  hasObject(which: BodyField): boolean {
    const { head } = this.parts;
    const key = findKey(head, fieldKeys(which).top);
    return key !== undefined && head[key] !== null;
  }

  /** Gives the event a workspace, for `get`, in case it has none of its own. */
  fillWorkspace(workspace: string): void {
    this.filledWorkspace = workspace;
  }

  /** The event as it is after a strip, in bytes and fields; itself where there is nothing to remove. */
  stripped(strip: Strip): DecodedEvent {
    const removesResponse = strip === Strip.RESPONSE || strip === Strip.BODIES;
    const removesRequest = strip === Strip.BODIES;
    const nothing =
      !(removesResponse && this.hasObject('ResponseObject')) &&
      !(removesRequest && this.hasObject('RequestObject'));
    if (nothing) return this;
    const event = decodeEvent(stripBodies(this.bytes, strip), this.source);
    event.filledWorkspace = this.filledWorkspace;
    return event;
  }

  private top(names: KeyNames): JsonValue | undefined {
    const { head } = this.parts;
    this.oddKeys ??= hasOddKeys(head);
    const key = this.oddKeys ? findKey(head, names) : findExactKey(head, names);
    return key === undefined ? undefined : this.valueOf(key);
  }

  private valueOf(key: string): JsonValue | undefined {
    const { built, head, lazy } = this.parts;
    const bytes = lazy.size === 0 ? undefined : lazy.get(key);
    if (!bytes) return head[key];
    let value = built.get(key);
    if (value === undefined) {
      value = JSON.parse(bytes.toString()) as JsonValue;
      built.set(key, value);
    }
    return value;
  }
}

/** An event as far as it is parsed. */
interface EventParts {
  /** All of it, with 0 in place of what is in `lazy`. */
  readonly head: JsonObject;
  /** Bodies that are not built yet, by key; valid JSON, not null. */
  readonly lazy: ReadonlyMap<string, Buffer>;
  /** Bodies that somebody asked for. */
  readonly built: Map<string, JsonValue>;
}

const NO_BYTES: ReadonlyMap<string, Buffer> = new Map();
/** Never written to: nothing is built where nothing is lazy. */
const NOTHING_BUILT = new Map<string, JsonValue>();

/**
 * Reads one event. Its source is known by its own keys (`AuditID` Kube AI Hub, `auditID` Kubernetes), else it is
 * `listSource`.
 *
 * Throws SyntaxError if the bytes are not exactly one valid JSON object.
 */
export function decodeEvent(bytes: Buffer, listSource: Source): DecodedEvent {
  const parts = bytes.length > LAZY_ABOVE_BYTES ? parseLazily(bytes) : parseWhole(bytes);
  return new DecodedEvent(bytes, sourceOf(parts.head, listSource), parts);
}

function sourceOf(head: JsonObject, listSource: Source): Source {
  if (head.auditID !== undefined) return Source.KUBERNETES;
  return head.AuditID === undefined ? listSource : Source.KUBE_AI_HUB;
}

function parseWhole(bytes: Buffer): EventParts {
  return { head: parseObject(bytes), lazy: NO_BYTES, built: NOTHING_BUILT };
}

function parseObject(bytes: Buffer): JsonObject {
  const value = JSON.parse(bytes.toString()) as JsonValue;
  if (!isJsonObject(value)) throw new SyntaxError('expected an event, which is a JSON object');
  return value;
}

/**
 * Cuts the bodies out, with 0 in their places, before the rest is parsed. Parsing the rest also proves that the
 * places were those of values.
 */
function parseLazily(bytes: Buffer): EventParts {
  const lazy = new Map<string, Buffer>();
  const rest: Buffer[] = [];
  let end = 0;
  for (const member of looseMembers(bytes, skipSpace(bytes, 0))) {
    const { keyStart, keyEnd, valueStart, valueEnd } = member;
    const key = keyText(bytes, keyStart, keyEnd);
    const value = bytes.subarray(valueStart, valueEnd);
    if (key === undefined || !BODY_KEYS.has(key.toLowerCase())) {
      // The parse of the rest proves all but its depth, and nothing short is deep.
      if (value.length > MAX_DEPTH && !isValidJson(value)) throw invalidValue(key);
      continue;
    }
    lazy.delete(key);
    if (value.equals(NULL)) continue;
    if (!isValidJson(value)) throw invalidValue(key);
    lazy.set(key, value);
    rest.push(bytes.subarray(end, valueStart), PLACEHOLDER);
    end = valueEnd;
  }
  if (lazy.size === 0) return parseWhole(bytes);
  rest.push(bytes.subarray(end));
  return { head: parseObject(Buffer.concat(rest)), lazy, built: new Map() };
}

function invalidValue(key = 'a key'): SyntaxError {
  return new SyntaxError(`${key} holds no valid JSON, or more than ${MAX_DEPTH} levels of it`);
}
