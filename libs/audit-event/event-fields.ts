/** A value out of JSON. */
export type JsonValue =
  string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/**
 * The fields of an event that both senders know, by their Go-cased paths, which is how KubeSphere's rules name
 * them. Nested user and status fields are lower-case there too, because those Go types carry JSON tags.
 */
export const EVENT_FIELDS = [
  'Level',
  'AuditID',
  'Stage',
  'RequestURI',
  'Verb',
  'User',
  'User.username',
  'User.uid',
  'User.groups',
  'User.extra',
  'ImpersonatedUser',
  'ImpersonatedUser.username',
  'ImpersonatedUser.uid',
  'ImpersonatedUser.groups',
  'ImpersonatedUser.extra',
  'SourceIPs',
  'UserAgent',
  'ObjectRef',
  'ObjectRef.Resource',
  'ObjectRef.Namespace',
  'ObjectRef.Name',
  'ObjectRef.UID',
  'ObjectRef.APIGroup',
  'ObjectRef.APIVersion',
  'ObjectRef.ResourceVersion',
  'ObjectRef.Subresource',
  'ResponseStatus',
  'ResponseStatus.code',
  'ResponseStatus.status',
  'ResponseStatus.reason',
  'ResponseStatus.message',
  'RequestObject',
  'ResponseObject',
  'RequestReceivedTimestamp',
  'StageTimestamp',
  'Annotations',
  'Workspace',
  'Cluster',
  'Devops',
  'Message',
  'HostName',
  'HostIP',
] as const;

/** The Go-cased path of a field that both senders know. */
export type EventField = (typeof EVENT_FIELDS)[number];

/**
 * One event as rules see it, whichever sender's casing it has and whether it lies here as parsed JSON or as
 * columns of a batch.
 *
 * Fields without a JSON tag in Go (all but those below User, ImpersonatedUser and ResponseStatus) are the empty
 * string where the event lacks them, as they are for the original, which decodes into a Go struct first; fields of
 * ObjectRef only if there is an ObjectRef. Verb is in lower case. Workspace is the one filled in from the namespace where
 * the event has none.
 */
export interface EventFields {
  /** The value; undefined (or null) where it is missing. */
  get(field: EventField): JsonValue | undefined;
  /** The value of another top-level key, spelt exactly so; undefined where it is missing. */
  other(key: string): JsonValue | undefined;
}
