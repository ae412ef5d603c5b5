import { Source } from '@auditing/proto/event';
import { COLUMN_FIELDS, columnKind, eventFieldOf } from './column-fields';
import { EVENT_FIELDS, type EventField } from './event-fields';
import { fieldKeys, type KeyNames } from './field-keys';
import { isAt } from './json-bytes';
import { WordText } from './json-words';

/** What is done with the value of a key. */
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

/** What is known of a key, however it is spelt. */
interface KnownKey {
  /** One of READ. */
  readonly read: number;
  /** Place of its column; -1 without one. */
  readonly column: number;
  /** The keys below it that are known. */
  readonly below: KeyTable | undefined;
  /** A bit of its own among the keys of its object. */
  readonly bit: number;
}

/** A key in the spelling of one of the API servers. */
export class ScanKey {
  readonly read: number;
  readonly column: number;
  readonly below: KeyTable | undefined;
  readonly bit: number;
  readonly text: Uint8Array;
  /** With its quotes and the colon, as programs write it. */
  readonly member: WordText;
  /** The key that came after it the last time: mostly it comes again. */
  next: ScanKey | undefined;

  constructor(
    text: string,
    known: KnownKey,
    /** Who spells an event's id so; UNSPECIFIED for all other keys. */
    readonly source: Source,
  ) {
    this.read = known.read;
    this.column = known.column;
    this.below = known.below;
    this.bit = known.bit;
    this.text = Uint8Array.from(Buffer.from(text));
    this.member = new WordText(`"${text}":`);
    this.next = undefined;
  }
}

/** The key is ours, but not as an API server spells it. */
export const ODD = null;

const SLOTS = 1024;
/** Makes an ASCII letter lower case, and does no harm to a hash of anything else. */
const LOWER_BIT = 0x20;

/** Known keys of one object, found by their bytes. */
export class KeyTable {
  /** The key that came first the last time. */
  first: ScanKey | undefined;
  readonly #slots: (readonly ScanKey[])[] = new Array<readonly ScanKey[]>(SLOTS).fill([]);

  constructor(keys: readonly ScanKey[]) {
    for (const key of keys) {
      const slot = slotOf(key.text, 0, key.text.length);
      this.#slots[slot] = [...(this.#slots[slot] ?? []), key];
    }
  }

  /** The key whose characters lie from `start` to `end`; ODD for one in another case than either API server's. */
  find(bytes: Buffer, start: number, end: number): ScanKey | undefined | typeof ODD {
    const candidates = this.#slots[slotOf(bytes, start, end)] ?? [];
    for (const key of candidates) {
      if (key.text.length === end - start && isAt(bytes, start, key.text)) return key;
    }
    if (candidates.length === 0) return undefined;
    const folded = bytes.toString('latin1', start, end).toLowerCase();
    const isOurs = candidates.some(
      ({ text }) => String(Buffer.from(text)).toLowerCase() === folded,
    );
    return isOurs ? ODD : undefined;
  }
}

/** Both spellings of a key, and every other case of it, have one slot. */
function slotOf(bytes: Uint8Array, start: number, end: number): number {
  const first = (bytes[start] ?? 0) | LOWER_BIT;
  const middle = (bytes[(start + end) >> 1] ?? 0) | LOWER_BIT;
  const last = (bytes[end - 1] ?? 0) | LOWER_BIT;
  return ((end - start) * 37 + first * 5 + middle * 11 + last * 3) & (SLOTS - 1);
}

/** The keys below `objectRef`. */
export const OBJECT_REF_KEYS = columnsBelow('ObjectRef');
/** The keys of an event. */
export const EVENT_KEYS = eventKeys();

/** Columns whose cell is the empty text where the event has no such key, by place; ObjectRef's only where it has one. */
export const EMPTY_COLUMNS = emptyColumns();

/** What of a column's cells is the default, if nothing was sent. */
export interface EmptyColumns {
  readonly ofEvent: readonly number[];
  readonly ofObjectRef: readonly number[];
}

function eventKeys(): KeyTable {
  const tops = [...new Set(EVENT_FIELDS.map((field) => field.split('.')[0] ?? ''))];
  return new KeyTable(
    tops.flatMap((top, index) => {
      const below = top === 'ObjectRef' ? OBJECT_REF_KEYS : columnsBelow(top);
      const column = columnOf(top);
      const read = below ? READ.object : readOf(top, column);
      const { lower, go } = fieldKeys(top as EventField).top;
      const known = { read, column, below, bit: 1 << index };
      const isAuditId = top === 'AuditID';
      return spellings({ lower, go }, known, {
        lower: isAuditId ? Source.KUBERNETES : Source.UNSPECIFIED,
        go: isAuditId ? Source.KUBE_AI_HUB : Source.UNSPECIFIED,
      });
    }),
  );
}

/** The keys below a top-level key, if one of them is a column. */
function columnsBelow(top: string): KeyTable | undefined {
  const fields = EVENT_FIELDS.filter((field) => field.startsWith(`${top}.`));
  if (!fields.some((field) => columnOf(field) >= 0)) return undefined;
  return new KeyTable(
    fields.flatMap((field, index) => {
      const column = columnOf(field);
      const { lower, go } = fieldKeys(field).nested ?? { lower: '', go: '' };
      const read = column < 0 ? READ.nothing : readOf(field, column);
      const known = { read, column, below: undefined, bit: 1 << index };
      const none = Source.UNSPECIFIED;
      return spellings({ lower, go }, known, { lower: none, go: none });
    }),
  );
}

function spellings(
  { lower, go }: Pick<KeyNames, 'lower' | 'go'>,
  known: KnownKey,
  sources: { readonly lower: Source; readonly go: Source },
): ScanKey[] {
  const key = new ScanKey(lower, known, sources.lower);
  return go === lower ? [key] : [key, new ScanKey(go, known, sources.go)];
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

function emptyColumns(): EmptyColumns {
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
