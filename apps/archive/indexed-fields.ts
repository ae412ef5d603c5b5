import { Field } from '@auditing/proto/event';

/** Every field that is indexed and can be asked for: all there are. */
export const INDEXED_FIELDS: readonly Field[] = Object.values(Field).filter(
  (field): field is Field => typeof field === 'number' && field > Field.UNSPECIFIED,
);

/** Fields whose values are JSON text of an array of strings. */
export const LIST_FIELDS: ReadonlySet<Field> = new Set([
  Field.GROUPS,
  Field.SOURCE_IPS,
  Field.RULE,
]);
