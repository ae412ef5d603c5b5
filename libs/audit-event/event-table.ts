import { type Column, type Field, Source } from '@auditing/proto/event';
import { COLUMN_FIELDS, columnKind, eventFieldOf, type ColumnKind } from './column-fields';
import { fieldOf, type EventDocument } from './event-document';
import type { EventField, JsonValue } from './event-fields';
import { fieldKeys, type FieldKeys, type KeyNames } from './field-keys';
import { jsonText } from './json-text';
import { microsFromText } from './timestamp';

/** The fields below one top-level key, which is looked up once for all of them. */
interface Group {
  readonly top: KeyNames;
  readonly fields: readonly { readonly keys: FieldKeys; readonly place: number }[];
}

const FIELDS = COLUMN_FIELDS.map((field) => ({ field, eventField: eventFieldOf(field) }));
const PLACES: Partial<Record<EventField, number>> = Object.fromEntries(
  FIELDS.flatMap(({ eventField }, place) => (eventField ? [[eventField, place] as const] : [])),
);
const PLACE_OF_FIELD: ReadonlyMap<Field, number> = new Map(
  FIELDS.map(({ field }, place) => [field, place]),
);
const GROUPS = groups();
const RECEIVED = fieldKeys('RequestReceivedTimestamp').top;
const STAGED = fieldKeys('StageTimestamp').top;

function groups(): readonly Group[] {
  const byTop = new Map<string, { top: KeyNames; fields: { keys: FieldKeys; place: number }[] }>();
  for (const [place, { eventField }] of FIELDS.entries()) {
    if (!eventField) continue;
    const keys = fieldKeys(eventField);
    const group = byTop.get(keys.top.go) ?? { top: keys.top, fields: [] };
    group.fields.push({ keys, place });
    byTop.set(keys.top.go, group);
  }
  return [...byTop.values()];
}

/**
 * What rules and indexes read of some events, a row each: filled while each event is parsed, so that nobody has to hold
 * on to parsed JSON, which is several times as large and would be moved about by the garbage collector.
 */
export class EventTable {
  /** RequestReceivedTimestamp of each row in microseconds since 1970 (UTC); 0 where absent or unreadable. */
  readonly requestReceivedUs: number[] = [];
  /** StageTimestamp, likewise. */
  readonly stageUs: number[] = [];
  private readonly columns = FIELDS.map(({ field }) => new TableColumn(field));

  /** Adds an event; gives its row. */
  add(document: EventDocument): number {
    for (const { top, fields } of GROUPS) {
      const value = document.top(top);
      for (const { keys, place } of fields) this.columns[place]?.add(fieldOf(value, keys));
    }
    this.requestReceivedUs.push(microsFromText(document.top(RECEIVED)));
    return this.stageUs.push(microsFromText(document.top(STAGED))) - 1;
  }

  /**
   * The values of a field by their rows, as EventFields says, but for a workspace that was filled in; undefined for a
   * field that has no column here.
   */
  valuesOf(field: EventField): { value(row: number): JsonValue | undefined } | undefined {
    return this.columns[PLACES[field] ?? -1];
  }

  /**
   * One field of some rows, in their order; undefined for a field that has no column here. Not to be changed: the column
   * of all rows is the table's own.
   */
  column(field: Field, rows: readonly number[]): Column | undefined {
    return this.columns[PLACE_OF_FIELD.get(field) ?? -1]?.select(rows);
  }
}

class TableColumn {
  private readonly kind: ColumnKind;
  private readonly values: JsonValue[] = [];
  private readonly cells: string[] = [];
  private readonly rows: number[] = [];
  private readonly places = new Map<string, number>();
  /** True if a value is not of the column's type: then two of them may have one cell. */
  private hasOdd = false;
  private last: JsonValue | undefined;
  private lastPlace = 0;

  constructor(private readonly field: Field) {
    this.kind = columnKind(field);
  }

  add(value: JsonValue | undefined): void {
    // What an event has in a field, the next one mostly has too.
    if (value !== this.last && !(this.kind === 'list' && isSameList(value, this.last))) {
      this.last = value;
      this.lastPlace = value === undefined || value === null ? 0 : this.place(value);
    }
    this.rows.push(this.lastPlace);
  }

  value(row: number): JsonValue | undefined {
    return this.values[(this.rows[row] ?? 0) - 1];
  }

  select(rows: readonly number[]): Column {
    const isWhole = rows.length === this.rows.length && rows.every((row, at) => row === at);
    if (isWhole && !this.hasOdd) {
      return { field: this.field, values: this.cells, rows: this.rows };
    }
    const builder = new ColumnBuilder(this.field);
    for (const row of rows) builder.add(this.cells[(this.rows[row] ?? 0) - 1]);
    return builder.column();
  }

  private place(value: JsonValue): number {
    const cell = cellText(value, this.kind);
    if (!isOfKind(value, this.kind)) {
      this.hasOdd = true;
      this.values.push(value);
      return this.cells.push(cell);
    }
    const known = this.places.get(cell);
    if (known !== undefined) return known;
    this.values.push(value);
    const place = this.cells.push(cell);
    this.places.set(cell, place);
    return place;
  }
}

/** Makes a column of cells, one event after the other. */
export class ColumnBuilder {
  private readonly places = new Map<string, number>();
  private readonly rows: number[] = [];
  private last: string | undefined;
  private lastPlace = 0;

  constructor(private readonly field: Field) {}

  /** Undefined where the event has no such field. */
  add(cell: string | undefined): void {
    if (cell !== this.last) {
      this.last = cell;
      this.lastPlace = cell === undefined ? 0 : this.place(cell);
    }
    this.rows.push(this.lastPlace);
  }

  /** What was added. */
  column(): Column {
    return { field: this.field, values: [...this.places.keys()], rows: this.rows };
  }

  private place(cell: string): number {
    const known = this.places.get(cell);
    if (known !== undefined) return known;
    const place = this.places.size + 1;
    this.places.set(cell, place);
    return place;
  }
}

/** A value as a column of this kind writes it. */
export function cellText(value: JsonValue, kind: ColumnKind): string {
  if (typeof value === 'string' && kind !== 'list') return value;
  return typeof value === 'number' ? String(value) : jsonText(value);
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

function isOfKind(value: JsonValue, kind: ColumnKind): boolean {
  switch (kind) {
    case 'text':
      return typeof value === 'string';
    case 'number':
      return typeof value === 'number';
    case 'list':
      return Array.isArray(value);
  }
}

/** Whether both are lists of the same texts. */
function isSameList(value: JsonValue | undefined, other: JsonValue | undefined): boolean {
  if (!Array.isArray(value) || !Array.isArray(other) || value.length !== other.length) return false;
  for (let index = 0; index < value.length; index += 1) {
    const item: unknown = value[index];
    if (typeof item !== 'string' || item !== other[index]) return false;
  }
  return true;
}
