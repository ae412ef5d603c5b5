import { Field } from '@auditing/proto/event';

/** Fields without a column: nearly every event has another request URI, so it is read out of the events themselves. */
export const UNINDEXED_FIELDS: ReadonlySet<Field> = new Set([Field.REQUEST_URI]);

/** Every field that can be asked for: all there are. */
export const INDEXED_FIELDS: readonly Field[] = Object.values(Field).filter(
  (field): field is Field => typeof field === 'number' && field > Field.UNSPECIFIED,
);

/** Fields whose values are JSON text of an array of strings. */
export const LIST_FIELDS: ReadonlySet<Field> = new Set([
  Field.GROUPS,
  Field.SOURCE_IPS,
  Field.RULE,
]);
