import { EVENT_FIELDS, type EventField, type JsonValue } from './event-fields';

/** An object out of JSON. Its prototype is Object's, so only own keys count. */
export type JsonObject = Readonly<Record<string, JsonValue>>;

/** How one key is spelt. */
export interface KeyNames {
  /** By kube-apiserver. */
  readonly lower: string;
  /** By ks-apiserver: the name of the Go field, or the same where the Go type has a JSON tag. */
  readonly go: string;
  /** Whatever the case. */
  readonly folded: string;
}

/** Where a field lies in an event and what it is when it is missing. */
export interface FieldKeys {
  readonly top: KeyNames;
  readonly nested: KeyNames | undefined;
  /** True if the Go type is a string without a JSON tag: empty, never missing. */
  readonly isText: boolean;
  /** True for the verb, which is read in lower case. */
  readonly isVerb: boolean;
}

/** Fields that are text in Go and carry no JSON tag; those of ObjectRef as far as there is an ObjectRef. */
const TEXT_FIELDS: ReadonlySet<EventField> = new Set([
  'Level',
  'AuditID',
  'Stage',
  'RequestURI',
  'Verb',
  'UserAgent',
  'ObjectRef.Resource',
  'ObjectRef.Namespace',
  'ObjectRef.Name',
  'ObjectRef.UID',
  'ObjectRef.APIGroup',
  'ObjectRef.APIVersion',
  'ObjectRef.ResourceVersion',
  'ObjectRef.Subresource',
  'Workspace',
  'Cluster',
  'Devops',
  'Message',
  'HostName',
  'HostIP',
]);

/** Kubernetes spells a Go name with its first word in lower case; these first words are abbreviations. */
const ABBREVIATIONS = /^(UID|API|IP|URI|ID)/;

const FIELD_KEYS = Object.fromEntries(
  EVENT_FIELDS.map((field): [EventField, FieldKeys] => {
    const [top = '', nested] = field.split('.');
    return [
      field,
      {
        top: keyNames(top),
        nested: nested === undefined ? undefined : keyNames(nested),
        isText: TEXT_FIELDS.has(field),
        isVerb: field === 'Verb',
      },
    ];
  }),
) as Record<EventField, FieldKeys>;

/** Where a field lies. */
export function fieldKeys(field: EventField): FieldKeys {
  return FIELD_KEYS[field];
}

function keyNames(go: string): KeyNames {
  const abbreviation = ABBREVIATIONS.exec(go)?.[0] ?? go.charAt(0);
  const lower = abbreviation.toLowerCase() + go.slice(abbreviation.length);
  return { lower, go, folded: go.toLowerCase() };
}

/** Every exact spelling of a top-level key. */
const TOP_SPELLINGS: ReadonlySet<string> = new Set(
  Object.values(FIELD_KEYS).flatMap(({ top }) => [top.lower, top.go]),
);
const TOP_FOLDED: ReadonlySet<string> = new Set(
  Object.values(FIELD_KEYS).map(({ top }) => top.folded),
);

/** True if a top-level key of an event is a known one in another case than either API server's. */
export function hasOddKeys(event: JsonObject): boolean {
  for (const key in event) {
    if (!TOP_SPELLINGS.has(key) && TOP_FOLDED.has(key.toLowerCase())) return true;
  }
  return false;
}

/** As findKey, among the exact spellings alone. */
export function findExactKey(object: JsonObject, names: KeyNames): string | undefined {
  const lower = object[names.lower];
  if (lower !== undefined && lower !== null) return names.lower;
  const go = object[names.go];
  if (go !== undefined) return names.go;
  return lower === undefined ? undefined : names.lower;
}

/**
 * The name under which an object holds a key: one of the exact spellings first, then any other case of it, as Go's
 * decoder does. A key whose value is null is taken only if there is no other. Undefined if there is none.
 */
export function findKey(object: JsonObject, names: KeyNames): string | undefined {
  const exact = findExactKey(object, names);
  if (exact !== undefined && object[exact] !== null) return exact;
  const { folded } = names;
  for (const key in object) {
    const matches = key.length === folded.length && key.toLowerCase() === folded;
    if (matches && object[key] !== null) return key;
  }
  return exact;
}

/** True for what JSON writes in braces. */
export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
