import type { BodySpans } from './body-spans';
import type { EventField, JsonValue } from './event-fields';
import {
  type FieldKeys,
  type JsonObject,
  type KeyNames,
  fieldKeys,
  findExactKey,
  findKey,
  hasOddKeys,
  isJsonObject,
} from './field-keys';
import { MAX_DEPTH, keyText, looseMembers, skipSpace } from './json-bytes';
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

const NO_BYTES: ReadonlyMap<string, Buffer> = new Map();
/** Never written to: nothing is built where nothing is lazy. */
const NOTHING_BUILT = new Map<string, JsonValue>();

/** An event as parsed JSON. It takes several times the memory of its bytes, so it is held no longer than it is read. */
export class EventDocument {
  /** True if a top-level key has a case that no API server sends, which makes every look-up slower. */
  private readonly oddKeys: boolean;

  private constructor(
    /** All of it, with 0 in place of what is in `lazy`. */
    readonly head: JsonObject,
    /** Bodies that are not built yet, by key; valid JSON, not null. */
    private readonly lazy: ReadonlyMap<string, Buffer>,
    /** Bodies that somebody asked for. */
    private readonly built: Map<string, JsonValue>,
  ) {
    this.oddKeys = hasOddKeys(head);
  }

  /** Throws SyntaxError if the bytes are not exactly one valid JSON object. */
  static parse(bytes: Buffer): EventDocument {
    return bytes.length > LAZY_ABOVE_BYTES ? parseLazily(bytes) : EventDocument.whole(bytes);
  }

  /** Of bytes that are proven to be an event, whose bodies are where `spans` says. */
  static cut(bytes: Buffer, spans: BodySpans): EventDocument {
    return bytes.length > LAZY_ABOVE_BYTES ? cutBodies(bytes, spans) : EventDocument.whole(bytes);
  }

  static whole(bytes: Buffer): EventDocument {
    return new EventDocument(parseObject(bytes), NO_BYTES, NOTHING_BUILT);
  }

  static withLazy(rest: Buffer, lazy: ReadonlyMap<string, Buffer>): EventDocument {
    return new EventDocument(parseObject(rest), lazy, new Map());
  }

  /** The value of a field, as EventFields says. */
  get(field: EventField): JsonValue | undefined {
    const keys = fieldKeys(field);
    return fieldOf(this.top(keys.top), keys);
  }

  /** The value of a top-level key, spelt exactly so. */
  other(key: string): JsonValue | undefined {
    return Object.hasOwn(this.head, key) ? this.valueOf(key) : undefined;
  }

  /** True if the event has this body and it is not null. It is not built for that. */
  hasObject(which: BodyField): boolean {
    const key = this.keyOf(fieldKeys(which).top);
    return key !== undefined && this.head[key] !== null;
  }

  /** The value of a known top-level key, in whatever case. */
  top(names: KeyNames): JsonValue | undefined {
    // Nearly every key is spelt as kube-apiserver does, and nearly every event is small.
    const { head } = this;
    if (this.lazy.size === 0) {
      const usual = head[names.lower];
      if (usual !== undefined && usual !== null) return usual;
      if (usual === undefined && !this.oddKeys) return head[names.go];
    }
    const key = this.keyOf(names);
    return key === undefined ? undefined : this.valueOf(key);
  }

  private keyOf(names: KeyNames): string | undefined {
    return this.oddKeys ? findKey(this.head, names) : findExactKey(this.head, names);
  }

  private valueOf(key: string): JsonValue | undefined {
    const { built, head, lazy } = this;
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

/** The value of a field, given that of its top-level key. */
export function fieldOf(top: JsonValue | undefined, keys: FieldKeys): JsonValue | undefined {
  if (!keys.nested) {
    if (keys.isVerb && typeof top === 'string') return top.toLowerCase();
    return top ?? (keys.isText ? '' : undefined);
  }
  if (!isJsonObject(top)) return undefined;
  const usual = top[keys.nested.lower];
  if (usual !== undefined && usual !== null) return usual;
  const key = findKey(top, keys.nested);
  const value = key === undefined ? undefined : top[key];
  return value ?? (keys.isText ? '' : undefined);
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
function parseLazily(bytes: Buffer): EventDocument {
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
  if (lazy.size === 0) return EventDocument.whole(bytes);
  rest.push(bytes.subarray(end));
  return EventDocument.withLazy(Buffer.concat(rest), lazy);
}

function cutBodies(bytes: Buffer, spans: BodySpans): EventDocument {
  const lazy = new Map<string, Buffer>();
  const rest: Buffer[] = [];
  let end = 0;
  const names = Object.keys(spans) as BodyField[];
  const found = names.flatMap((name) => (spans[name] ? [{ name, span: spans[name] }] : []));
  found.sort((one, other) => one.span.start - other.span.start);
  for (const { name, span } of found) {
    const value = bytes.subarray(span.start, span.end);
    const { lower, go } = fieldKeys(name).top;
    // It is the one or the other in the event; nobody asks for what is not there.
    lazy.set(lower, value).set(go, value);
    rest.push(bytes.subarray(end, span.start), PLACEHOLDER);
    end = span.end;
  }
  rest.push(bytes.subarray(end));
  return EventDocument.withLazy(Buffer.concat(rest), lazy);
}

function invalidValue(key = 'a key'): SyntaxError {
  return new SyntaxError(`${key} holds no valid JSON, or more than ${MAX_DEPTH} levels of it`);
}
