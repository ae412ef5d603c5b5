import { Source } from '@auditing/proto/event';
import { COLUMN_FIELDS, columnKind, eventFieldOf } from './column-fields';
import { EVENT_FIELDS, type EventField } from './event-fields';
import { fieldKeys, type KeyNames } from './field-keys';

/** What is done with the value of a key; the same numbers are in assembly/keys.ts. */
export const READ = {
  /** Nothing: it is in no column. */
  nothing: 0,
  text: 1,
  verb: 2,
  number: 3,
  list: 4,
  object: 5,
  requestReceived: 6,
  staged: 7,
  requestObject: 8,
  responseObject: 9,
} as const;

/** A key in the spelling of one of the API servers. */
export interface ScanKey {
  readonly text: string;
  /** One of READ. */
  readonly read: number;
  /** Place of its column; -1 without one. */
  readonly column: number;
  /** The keys below it that are known. */
  readonly below: readonly ScanKey[] | undefined;
  /** A bit of its own among the keys of its object, however they are spelt. */
  readonly bit: number;
  /** Who spells an event's id so; UNSPECIFIED for all other keys. */
  readonly source: Source;
}

/** The keys below `objectRef`. */
export const OBJECT_REF_KEYS = columnsBelow('ObjectRef') ?? [];
/** The keys of an event. */
export const EVENT_KEYS = eventKeys();

/** Columns whose cell is the empty text where the event has no such key, by place; ObjectRef's only where it has one. */
export const EMPTY_COLUMNS = emptyColumns();

function eventKeys(): readonly ScanKey[] {
  const tops = [...new Set(EVENT_FIELDS.map((field) => field.split('.')[0] ?? ''))];
  return tops.flatMap((top, index) => {
    const below = top === 'ObjectRef' ? OBJECT_REF_KEYS : columnsBelow(top);
    const column = columnOf(top);
    const read = below ? READ.object : readOf(top, column);
    const isAuditId = top === 'AuditID';
    return spellings(fieldKeys(top as EventField).top, {
      read,
      column,
      below,
      bit: 1 << index,
    }).map((key) => ({
      ...key,
      source: isAuditId ? sourceBySpelling(key.text) : Source.UNSPECIFIED,
    }));
  });
}

function sourceBySpelling(auditId: string): Source {
  return auditId === fieldKeys('AuditID').top.lower ? Source.KUBERNETES : Source.KUBE_AI_HUB;
}

/** The keys below a top-level key, if one of them is a column. */
function columnsBelow(top: string): readonly ScanKey[] | undefined {
  const fields = EVENT_FIELDS.filter((field) => field.startsWith(`${top}.`));
  if (!fields.some((field) => columnOf(field) >= 0)) return undefined;
  return fields.flatMap((field, index) => {
    const column = columnOf(field);
    const { nested } = fieldKeys(field);
    const read = column < 0 ? READ.nothing : readOf(field, column);
    return nested ? spellings(nested, { read, column, below: undefined, bit: 1 << index }) : [];
  });
}

function spellings(
  { lower, go }: KeyNames,
  known: Omit<ScanKey, 'text' | 'source'>,
): readonly ScanKey[] {
  return [...new Set([lower, go])].map((text) => ({
    ...known,
    text,
    source: Source.UNSPECIFIED,
  }));
}

function columnOf(field: string): number {
  return COLUMN_FIELDS.findIndex((one) => eventFieldOf(one) === field);
}

function readOf(field: string, column: number): number {
  switch (field) {
    case 'Verb':
      return READ.verb;
    case 'RequestReceivedTimestamp':
      return READ.requestReceived;
    case 'StageTimestamp':
      return READ.staged;
    case 'RequestObject':
      return READ.requestObject;
    case 'ResponseObject':
      return READ.responseObject;
  }
  const columnField = COLUMN_FIELDS[column];
  return columnField === undefined ? READ.nothing : READ[columnKind(columnField)];
}

function emptyColumns(): {
  readonly ofEvent: readonly number[];
  readonly ofObjectRef: readonly number[];
} {
  const places = COLUMN_FIELDS.map((field, place) => ({ field: eventFieldOf(field), place }));
  const isText = ({ field }: (typeof places)[number]) =>
    field !== undefined && fieldKeys(field).isText;
  const isBelow = ({ field }: (typeof places)[number]) => field?.startsWith('ObjectRef.') === true;
  const texts = places.filter(isText);
  return {
    ofEvent: texts.filter((one) => !isBelow(one)).map(({ place }) => place),
    ofObjectRef: texts.filter(isBelow).map(({ place }) => place),
  };
}
