import { Field } from '@auditing/proto/event';
import type { EventField } from './event-fields';

/** How the values of a column are written. */
export type ColumnKind = 'text' | 'list' | 'number';

const EVENT_FIELD_OF: ReadonlyMap<Field, EventField> = new Map<Field, EventField>([
  [Field.LEVEL, 'Level'],
  [Field.STAGE, 'Stage'],
  [Field.VERB, 'Verb'],
  [Field.USER, 'User.username'],
  [Field.GROUPS, 'User.groups'],
  [Field.IMPERSONATED_USER, 'ImpersonatedUser.username'],
  [Field.SOURCE_IPS, 'SourceIPs'],
  [Field.USER_AGENT, 'UserAgent'],
  [Field.NAMESPACE, 'ObjectRef.Namespace'],
  [Field.RESOURCE, 'ObjectRef.Resource'],
  [Field.SUBRESOURCE, 'ObjectRef.Subresource'],
  [Field.NAME, 'ObjectRef.Name'],
  [Field.API_GROUP, 'ObjectRef.APIGroup'],
  [Field.API_VERSION, 'ObjectRef.APIVersion'],
  [Field.CODE, 'ResponseStatus.code'],
  [Field.STATUS, 'ResponseStatus.status'],
  [Field.REASON, 'ResponseStatus.reason'],
  [Field.REQUEST_URI, 'RequestURI'],
  [Field.WORKSPACE, 'Workspace'],
  [Field.CLUSTER, 'Cluster'],
  [Field.DEVOPS, 'Devops'],
  [Field.AUDIT_ID, 'AuditID'],
]);

const COLUMN_FIELD_OF: ReadonlyMap<EventField, Field> = new Map(
  [...EVENT_FIELD_OF].map(([field, eventField]) => [eventField, field]),
);

/**
 * The fields the archive indexes. The request URI is not one: nearly every event has another one, and the search of the
 * stored bytes finds it. The rule is added by the archive, out of the findings.
 */
export const ARCHIVE_FIELDS: readonly Field[] = [
  Field.SOURCE,
  Field.LEVEL,
  Field.STAGE,
  Field.VERB,
  Field.USER,
  Field.GROUPS,
  Field.IMPERSONATED_USER,
  Field.SOURCE_IPS,
  Field.USER_AGENT,
  Field.NAMESPACE,
  Field.RESOURCE,
  Field.SUBRESOURCE,
  Field.NAME,
  Field.API_GROUP,
  Field.API_VERSION,
  Field.CODE,
  Field.STATUS,
  Field.REASON,
  Field.WORKSPACE,
  Field.CLUSTER,
  Field.DEVOPS,
  Field.AUDIT_ID,
];

/** The fields that can be columns: those of the event. */
export const COLUMN_FIELDS: readonly Field[] = [...EVENT_FIELD_OF.keys()];

/** The field of the event that a column holds; undefined for SOURCE and RULE, which are none of its own. */
export function eventFieldOf(field: Field): EventField | undefined {
  return EVENT_FIELD_OF.get(field);
}

/** The column that holds a field of the event; undefined where there is none: it travels in a document. */
export function columnFieldOf(field: EventField): Field | undefined {
  return COLUMN_FIELD_OF.get(field);
}

/** How the values of a column are written. */
export function columnKind(field: Field): ColumnKind {
  if (field === Field.GROUPS || field === Field.SOURCE_IPS) return 'list';
  return field === Field.CODE ? 'number' : 'text';
}
