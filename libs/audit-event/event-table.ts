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
const PLACES: ReadonlyMap<EventField, number> = new Map(
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

const FIRST_ROWS = 16;
const WIDTH = FIELDS.length;

/** The place of the column of a field in each table; undefined for a field that has none. */
export function columnPlace(field: EventField): number | undefined {
  return PLACES.get(field);
}

/**
 * What rules and indexes read of some events, a row each: filled while each event is read, so that nobody has to hold
 * on to parsed JSON, which is several times as large and would be moved about by the garbage collector. Nor are the rows
 * themselves in its heap.
 */
export class EventTable {
  /** RequestReceivedTimestamp of each row in microseconds since 1970 (UTC); 0 where absent or unreadable. */
  requestReceivedUs = new Float64Array(FIRST_ROWS);
  /** StageTimestamp, likewise. */
  stageUs = new Float64Array(FIRST_ROWS);
  /** True if there may be values that no row has: its columns are made anew then. */
  hasUnused = false;
  /** For each row and each column, 1 + the place of its value, 0 where the event has no such field. */
  private places = new Int32Array(FIRST_ROWS * WIDTH);
  private rowCount = 0;
  private readonly columns = FIELDS.map(({ field }) => new TableColumn(field));
  private readonly parsed = new Int32Array(WIDTH);

  /** The place of a value in a column, where it is put if it is new. */
  place(column: number, value: JsonValue): number {
    return this.columns[column]?.place(value) ?? 0;
  }

  /**
   * As place, for a value as its column writes it: a text, or the JSON text of a list, which is read when somebody asks for the list.
   * If `isNew` it is none of those that were put there so before, and need not be looked for.
   */
  placeCell(column: number, cell: string, isNew: boolean): number {
    return this.columns[column]?.placeCell(cell, isNew) ?? 0;
  }

  /** Adds an event by the places of its values, 0 for what it lacks, by column as in COLUMN_FIELDS; gives its row. */
  addRow(places: Int32Array, requestReceivedUs: number, stageUs: number): number {
    const row = this.rowCount;
    if (row === this.stageUs.length) this.grow();
    this.places.set(places, row * WIDTH);
    this.requestReceivedUs[row] = requestReceivedUs;
    this.stageUs[row] = stageUs;
    this.rowCount += 1;
    return row;
  }

  /** Adds an event; gives its row. */
  add(document: EventDocument): number {
    const { parsed } = this;
    for (const { top, fields } of GROUPS) {
      const value = document.top(top);
      for (const { keys, place } of fields) {
        parsed[place] = this.columns[place]?.placeOf(fieldOf(value, keys)) ?? 0;
      }
    }
    const received = microsFromText(document.top(RECEIVED));
    return this.addRow(parsed, received, microsFromText(document.top(STAGED)));
  }

  /** A value by the place of its column, as EventFields says, but for a workspace that was filled in. */
  value(column: number, row: number): JsonValue | undefined {
    return this.columns[column]?.valueAt((this.places[row * WIDTH + column] ?? 0) - 1);
  }

  /** True if `rows` are all rows that there are, in their order. */
  isWhole(rows: readonly number[]): boolean {
    return rows.length === this.rowCount && rows.every((row, at) => row === at);
  }

  /**
   * One field of some rows, in their order; of all rows if `isWhole`. Undefined for a field that has no column here. Its
   * values are not to be changed: they are the table's own.
   */
  column(field: Field, rows: readonly number[], isWhole: boolean): Column | undefined {
    const place = PLACE_OF_FIELD.get(field) ?? -1;
    const column = this.columns[place];
    if (column === undefined) return undefined;
    const { places } = this;
    const { cells } = column;
    if (isWhole && !column.hasOdd && !this.hasUnused) {
      const all = new Array<number>(rows.length);
      for (let row = 0; row < all.length; row++) all[row] = places[row * WIDTH + place] ?? 0;
      return { field, values: cells, rows: all };
    }
    const builder = new ColumnBuilder(field);
    for (const row of rows) builder.add(cells[(places[row * WIDTH + place] ?? 0) - 1]);
    return builder.column();
  }

  private grow(): void {
    this.places = grown(this.places, new Int32Array(this.places.length * 2));
    const twice = this.stageUs.length * 2;
    this.requestReceivedUs = grown(this.requestReceivedUs, new Float64Array(twice));
    this.stageUs = grown(this.stageUs, new Float64Array(twice));
  }
}

function grown<Numbers extends Int32Array | Float64Array>(old: Numbers, wider: Numbers): Numbers {
  wider.set(old);
  return wider;
}

/** The distinct values of a column. */
class TableColumn {
  readonly cells: string[] = [];
  /** Of each cell; undefined for a list that nobody has asked for. */
  private readonly values: (JsonValue | undefined)[] = [];
  /** True if a value is not of the column's type: then two of them may have one cell. */
  hasOdd = false;
  private readonly kind: ColumnKind;
  /** Of all cells; made once a value may be among them: a column of ids needs none. */
  private places: Map<string, number> | undefined;
  private last: JsonValue | undefined;
  private lastPlace = 0;

  constructor(field: Field) {
    this.kind = columnKind(field);
  }

  /** As place; 0 for what is missing. */
  placeOf(value: JsonValue | undefined): number {
    // What an event has in a field, the next one mostly has too.
    if (value !== this.last && !(this.kind === 'list' && isSameList(value, this.last))) {
      this.last = value;
      this.lastPlace = value === undefined || value === null ? 0 : this.place(value);
    }
    return this.lastPlace;
  }

  valueAt(index: number): JsonValue | undefined {
    const value = this.values[index];
    const cell = this.cells[index];
    if (value !== undefined || cell === undefined) return value;
    return (this.values[index] = JSON.parse(cell) as JsonValue);
  }

  placeCell(cell: string, isNew: boolean): number {
    const value = this.kind === 'list' ? undefined : cell;
    if (!isNew || this.places) return this.placeOfKind(cell, value);
    this.values.push(value);
    return this.cells.push(cell);
  }

  place(value: JsonValue): number {
    const cell = cellText(value, this.kind);
    if (isOfKind(value, this.kind)) return this.placeOfKind(cell, value);
    // It is not to be found by its cell.
    this.allPlaces();
    this.hasOdd = true;
    this.values.push(value);
    return this.cells.push(cell);
  }

  private placeOfKind(cell: string, value: JsonValue | undefined): number {
    const places = this.allPlaces();
    const known = places.get(cell);
    if (known !== undefined) return known;
    this.values.push(value);
    const place = this.cells.push(cell);
    places.set(cell, place);
    return place;
  }

  private allPlaces(): Map<string, number> {
    return (this.places ??= new Map(this.cells.map((cell, at) => [cell, at + 1])));
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
