import { type Column, Field, Source } from '@auditing/proto/event';
import { columnKind, eventFieldOf, type ColumnKind } from './column-fields';
import { type DecodedEvent, decodeEvent } from './decoded-event';
import type { EventField, EventFields, JsonValue } from './event-fields';
import { ColumnBuilder, cellText, sourceText, type EventTable } from './event-table';

export { ARCHIVE_FIELDS, eventFieldOf } from './column-fields';

/**
 * Makes the columns of events, one for each of `fields`: a cell is what `get` says, so the empty text of a field that
 * Go never misses is a value, not a missing one. A value of another type than the column's is its JSON text. Not to be
 * changed: the events may share them.
 *
 * Throws RangeError for a field that is none of the event's: RULE comes from findings.
 */
export function buildColumns(events: readonly DecodedEvent[], fields: readonly Field[]): Column[] {
  const rows = rowsOfOneTable(events);
  const isFilled = events.some((event) => event.isFilled);
  return fields.map((field) => {
    const isKept = field !== Field.SOURCE && !(isFilled && field === Field.WORKSPACE);
    const selected = isKept && rows ? rows.table.column(field, rows.rows, rows.isWhole) : undefined;
    return selected ?? columnOf(events, field);
  });
}

/** Where all events are rows of one table. */
function rowsOfOneTable(
  events: readonly DecodedEvent[],
):
  | { readonly table: EventTable; readonly rows: readonly number[]; readonly isWhole: boolean }
  | undefined {
  const table = events[0]?.table;
  if (!table) return undefined;
  const rows: number[] = [];
  for (const event of events) {
    if (event.table !== table) return undefined;
    rows.push(event.row);
  }
  return { table, rows, isWhole: table.isWhole(rows) };
}

function columnOf(events: readonly DecodedEvent[], field: Field): Column {
  const cell = cellOf(field);
  const column = new ColumnBuilder(field);
  for (const event of events) column.add(cell(event));
  return column.column();
}

function cellOf(field: Field): (event: DecodedEvent) => string | undefined {
  if (field === Field.SOURCE) return (event) => sourceText(event.source);
  const eventField = eventFieldOf(field);
  if (eventField === undefined) {
    throw new RangeError(`expected a field of the event, not ${Field[field]}`);
  }
  const kind = columnKind(field);
  return (event) => {
    const value = event.get(eventField);
    return value === undefined || value === null ? undefined : cellText(value, kind);
  };
}

/** A field was asked for that was sent neither as a column nor in a document. Not sent is not the same as missing. */
export class MissingColumnError extends Error {
  override readonly name = 'MissingColumnError';

  constructor(
    /** What was asked for. */
    readonly field: string,
  ) {
    super(`${field} was not sent with this event; send its column or the whole event`);
  }
}

/** The columns of a batch, ready to be read by row. */
export class ColumnTable {
  private readonly byField = new Map<EventField, ReadColumn>();

  constructor(columns: readonly Column[]) {
    for (const column of columns) {
      const field = eventFieldOf(column.field);
      if (field !== undefined) this.byField.set(field, new ReadColumn(field, column));
    }
  }

  /** The column of a field; undefined if it was not sent. */
  column(field: EventField): ReadColumn | undefined {
    return this.byField.get(field);
  }
}

/** One column of a batch. */
class ReadColumn {
  private readonly kind: ColumnKind;
  /** Values that were read, by their place: a list out of its JSON text is parsed once. */
  private readonly read: JsonValue[] = [];

  constructor(
    private readonly field: EventField,
    private readonly column: Column,
  ) {
    this.kind = columnKind(column.field);
  }

  /**
   * A cell as a value; undefined where the event has no such field.
   *
   * Throws MissingColumnError if the column does not reach as far as `row`.
   */
  value(row: number): JsonValue | undefined {
    const place = this.column.rows[row];
    if (place === 0) return undefined;
    const text = place === undefined ? undefined : this.column.values[place - 1];
    if (place === undefined || text === undefined) throw new MissingColumnError(this.field);
    if (this.kind === 'text') return text;
    let value = this.read[place];
    if (value === undefined) this.read[place] = value = valueOf(text, this.kind);
    return value;
  }
}

function valueOf(text: string, kind: 'number' | 'list'): JsonValue {
  if (kind === 'list') return JSON.parse(text) as JsonValue;
  return String(Number(text)) === text ? Number(text) : text;
}

/** One row of columns and, where it was sent, the whole event, which is parsed when a field without a column is read. */
export class ColumnEvent implements EventFields {
  private filledWorkspace = '';
  private decoded: DecodedEvent | undefined;

  constructor(
    private readonly table: ColumnTable,
    private readonly row: number,
    private readonly document?: Buffer,
  ) {}

  get(field: EventField): JsonValue | undefined {
    const value = this.sent(field);
    return field === 'Workspace' && (value ?? '') === '' ? this.filledWorkspace : value;
  }

  other(key: string): JsonValue | undefined {
    return this.whole(key).other(key);
  }

  /** Gives the event a workspace, for `get`, in case it has none of its own. */
  fillWorkspace(workspace: string): void {
    this.filledWorkspace = workspace;
  }

  private sent(field: EventField): JsonValue | undefined {
    const column = this.table.column(field);
    return column ? column.value(this.row) : this.whole(field).get(field);
  }

  private whole(asked: string): DecodedEvent {
    if (!this.document) throw new MissingColumnError(asked);
    this.decoded ??= decodeEvent(this.document, Source.UNSPECIFIED);
    return this.decoded;
  }
}
