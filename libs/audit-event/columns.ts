import { type Column, Field, Source } from '@auditing/proto/event';
import { columnFieldOf, columnKind, eventFieldOf } from './column-fields';
import { type DecodedEvent, decodeEvent } from './decoded-event';
import type { EventField, EventFields, JsonValue } from './event-fields';
import { jsonText } from './json-text';

export { ARCHIVE_FIELDS, columnFieldOf, eventFieldOf } from './column-fields';

/** What columns are made of; DecodedEvent is one. */
export interface ColumnSource extends EventFields {
  readonly source: Source;
}

/**
 * Makes the columns of events, one for each of `fields`: a cell is what `get` says, so the empty text of a field that
 * Go never misses is a value, not a missing one. A value of another type than the column's is its JSON text.
 *
 * Throws RangeError for a field that is none of the event's: RULE comes from findings.
 */
export function buildColumns(events: readonly ColumnSource[], fields: readonly Field[]): Column[] {
  const columns = fields.map((field) => new ColumnBuilder(field));
  for (const column of columns) for (const event of events) column.add(event);
  return columns.map((column) => column.column());
}

class ColumnBuilder {
  private readonly cell: (event: ColumnSource) => string | undefined;
  private readonly places = new Map<string, number>();
  private readonly rows: number[] = [];
  private lastCell: string | undefined;
  private lastPlace = 0;

  constructor(private readonly field: Field) {
    this.cell = cellOf(field);
  }

  add(event: ColumnSource): void {
    const cell = this.cell(event);
    // What an event has in a field, the next one mostly has too.
    if (cell !== this.lastCell) {
      this.lastCell = cell;
      this.lastPlace = cell === undefined ? 0 : this.place(cell);
    }
    this.rows.push(this.lastPlace);
  }

  private place(cell: string): number {
    const known = this.places.get(cell);
    if (known !== undefined) return known;
    const place = this.places.size + 1;
    this.places.set(cell, place);
    return place;
  }

  column(): Column {
    return { field: this.field, values: [...this.places.keys()], rows: this.rows };
  }
}

function cellOf(field: Field): (event: ColumnSource) => string | undefined {
  if (field === Field.SOURCE) return (event) => sourceText(event.source);
  const eventField = eventFieldOf(field);
  if (eventField === undefined) {
    throw new RangeError(`expected a field of the event, not ${Field[field]}`);
  }
  const isList = columnKind(field) === 'list';
  return (event) => {
    const value = event.get(eventField);
    if (value === undefined || value === null) return undefined;
    if (typeof value === 'string' && !isList) return value;
    return typeof value === 'number' ? String(value) : jsonText(value);
  };
}

/** The value of the column SOURCE; undefined for a source that is not known. */
export function sourceText(source: Source): string | undefined {
  switch (source) {
    case Source.KUBERNETES:
      return 'kubernetes';
    case Source.KUBE_AI_HUB:
      return 'kube-ai-hub';
    case Source.UNSPECIFIED:
    case Source.UNRECOGNIZED:
      return undefined;
  }
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
  private readonly byField: ReadonlyMap<Field, Column>;
  /** Lists out of their JSON text, each parsed once. */
  private readonly parsed = new Map<string, JsonValue>();

  constructor(columns: readonly Column[]) {
    this.byField = new Map(columns.map((column) => [column.field, column]));
  }

  /** True if the field was sent. */
  has(field: Field): boolean {
    return this.byField.has(field);
  }

  /**
   * A cell as it is written; undefined where the event has no such field.
   *
   * Throws MissingColumnError if there is no such column or it does not reach as far as `row`.
   */
  text(field: Field, row: number): string | undefined {
    const column = this.byField.get(field);
    const place = column?.rows[row];
    if (place === 0) return undefined;
    const text = place === undefined ? undefined : column?.values[place - 1];
    if (text === undefined) throw new MissingColumnError(eventFieldOf(field) ?? Field[field]);
    return text;
  }

  /** A cell as a value. */
  value(field: Field, row: number): JsonValue | undefined {
    const text = this.text(field, row);
    if (text === undefined) return undefined;
    switch (columnKind(field)) {
      case 'text':
        return text;
      case 'number':
        return String(Number(text)) === text ? Number(text) : text;
      case 'list':
        return this.list(text);
    }
  }

  private list(text: string): JsonValue {
    let list = this.parsed.get(text);
    if (list === undefined) {
      list = JSON.parse(text) as JsonValue;
      this.parsed.set(text, list);
    }
    return list;
  }
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
    const column = columnFieldOf(field);
    return column !== undefined && this.table.has(column)
      ? this.table.value(column, this.row)
      : this.whole(field).get(field);
  }

  private whole(asked: string): DecodedEvent {
    if (!this.document) throw new MissingColumnError(asked);
    this.decoded ??= decodeEvent(this.document, Source.UNSPECIFIED);
    return this.decoded;
  }
}
