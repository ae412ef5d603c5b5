import type { Column, Field, Source } from '@auditing/proto/event';
import type { EventField, EventFields, JsonValue } from './event-fields';

/** What columns are made of: DecodedEvent is one. */
export interface ColumnSource extends EventFields {
  readonly source: Source;
}

/** The fields the archive indexes. */
export declare const ARCHIVE_FIELDS: readonly Field[];
/** Which event field a column holds; SOURCE and RULE are not fields of the event. */
export declare function eventFieldOf(field: Field): EventField | undefined;
/** The column that holds an event field; undefined where there is none. */
export declare function columnFieldOf(field: EventField): Field | undefined;
export declare function buildColumns(
  events: readonly ColumnSource[],
  fields: readonly Field[],
): Column[];

/** A field was asked for that was sent neither as a column nor in a document. */
export declare class MissingColumnError extends Error {
  readonly field: string;
}

/** The columns of a batch, ready to be read. */
export declare class ColumnTable {
  constructor(columns: readonly Column[]);
  /** The text of a cell; undefined where the event has no such field. Throws MissingColumnError. */
  text(field: Field, row: number): string | undefined;
}

/** One row of columns, and the whole event where it was sent. */
export declare class ColumnEvent implements EventFields {
  constructor(table: ColumnTable, row: number, document?: Buffer);
  get(field: EventField): JsonValue | undefined;
  other(key: string): JsonValue | undefined;
  fillWorkspace(workspace: string): void;
}
