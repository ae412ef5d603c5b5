import type { JsonValue } from '@auditing/audit-event/event-fields';
import { jsonText } from '@auditing/audit-event/json-text';
import type { ObjectChange } from '@auditing/proto/archive';

/** The limits of archive.proto. */
const CHANGES_MAX = 1_000;
const VALUE_MAX_LENGTH = 4_096;

/** Deeper than any object of Kubernetes; what lies below is compared as a whole. */
const DEPTH_MAX = 100;

/** A cut may part a pair; protobuf carries none alone. */
const LONE_SURROGATE = /\p{Surrogate}/gu;

type JsonObject = Readonly<Record<string, JsonValue>>;

/** How one value differs from another. */
export interface JsonDiff {
  readonly changes: readonly ObjectChange[];
  /** Changes beyond those. */
  readonly omittedCount: number;
}

/** The differences between two values, in order of paths; what lies at one of the `ignored` paths is left out. */
export function jsonDiff(
  before: JsonValue,
  after: JsonValue,
  ignored: ReadonlySet<string>,
): JsonDiff {
  const changes: ObjectChange[] = [];
  let count = 0;
  const compare = (a: JsonValue | undefined, b: JsonValue | undefined, at: Place): void => {
    if (a === b || ignored.has(at.path)) return;
    const children = at.depth < DEPTH_MAX ? pairs(a, b) : undefined;
    if (children !== undefined) {
      for (const [step, childA, childB] of children) {
        compare(childA, childB, { path: `${at.path}/${escaped(step)}`, depth: at.depth + 1 });
      }
      return;
    }
    const change = { path: at.path, before: shown(a), after: shown(b) };
    if (textOf(a) === textOf(b)) return;
    count += 1;
    if (count <= CHANGES_MAX) changes.push(change);
  };
  compare(before, after, { path: '', depth: 0 });
  return { changes, omittedCount: count - changes.length };
}

interface Place {
  readonly path: string;
  readonly depth: number;
}

/** One step below two values, and what is there. */
type Pair = readonly [step: string, a: JsonValue | undefined, b: JsonValue | undefined];

/** What lies below two objects or two lists, in pairs; undefined if they are to be compared as they are. */
function pairs(a: JsonValue | undefined, b: JsonValue | undefined): readonly Pair[] | undefined {
  if (isList(a) && isList(b)) return listPairs(a, b);
  if (!isObject(a) || !isObject(b)) return undefined;
  const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])].sort();
  return keys.map((key) => [key, own(a, key), own(b, key)]);
}

/** Containers, ports and variables are lists whose elements have names: one that was put in front is one change, not all. */
function listPairs(a: readonly JsonValue[], b: readonly JsonValue[]): readonly Pair[] {
  const byNameA = byName(a);
  const byNameB = byName(b);
  if (byNameA !== undefined && byNameB !== undefined) {
    const names = [...new Set([...byNameA.keys(), ...byNameB.keys()])];
    return names.map((name) => [`name=${name}`, byNameA.get(name), byNameB.get(name)]);
  }
  const length = Math.max(a.length, b.length);
  return Array.from({ length }, (_, index) => [String(index), a[index], b[index]]);
}

function byName(list: readonly JsonValue[]): ReadonlyMap<string, JsonValue> | undefined {
  const named = new Map<string, JsonValue>();
  for (const element of list) {
    const name = isObject(element) ? own(element, 'name') : undefined;
    if (typeof name !== 'string' || named.has(name)) return undefined;
    named.set(name, element);
  }
  return named;
}

function isList(value: JsonValue | undefined): value is readonly JsonValue[] {
  return Array.isArray(value);
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A key named __proto__ is a key like any other. */
function own(value: JsonObject, key: string): JsonValue | undefined {
  return Object.hasOwn(value, key) ? value[key] : undefined;
}

/** RFC 6901. */
function escaped(step: string): string {
  return step.replaceAll('~', '~0').replaceAll('/', '~1');
}

function textOf(value: JsonValue | undefined): string {
  return value === undefined ? '' : jsonText(value);
}

function shown(value: JsonValue | undefined): string {
  const text = textOf(value);
  return text.slice(0, VALUE_MAX_LENGTH).replace(LONE_SURROGATE, '\ufffd');
}
