import { Source } from '@auditing/proto/event';
import { COLUMN_FIELDS } from './column-fields';
import { type BodySpans, NO_BODIES, type Span } from './body-spans';
import type { EventTable } from './event-table';
import { BYTE, MAX_DEPTH, isDigit, skipSpace, valueAfterKey } from './json-bytes';
import { passPlain, wordsOf } from './json-words';
import {
  EMPTY_COLUMNS,
  EVENT_KEYS,
  type KeyTable,
  OBJECT_REF_KEYS,
  ODD,
  READ,
  type ScanKey,
} from './scan-keys';
import { TimeReader, USUAL_LENGTH } from './time-reader';
import { passPlainList, passString, passValue } from './valid-json';
import { ValueCache } from './value-cache';

const ZERO = 0x30;
/** A double holds all whole numbers of so many digits. */
const DIGITS_MAX = 15;
const NULL = 0x6e;
/** Stands in a row for what was not sent. */
const NOT_SENT = -1;

/**
 * Reads events out of the bytes of a body, each in one pass that proves it to be valid JSON, and puts what rules and indexes
 * read of it into a table. Nothing is built but the texts of values that were not met before: this costs about what JSON.parse
 * alone does (a third of it for events of 13 KB), and leaves the garbage collector next to nothing.
 *
 * What is unusual (another spelling of a key, a key twice, a value of another type than API servers send, JSON that is not
 * valid) it does not read: it says so, and JSON.parse decides what that is.
 */
export class EventScanner {
  readonly #body: Buffer;
  readonly #words: DataView;
  readonly #table: EventTable;
  readonly #values: ValueCache;
  readonly #times: TimeReader;
  /** Places of the values of the event that is being read, by column. */
  readonly #row = new Int32Array(COLUMN_FIELDS.length);
  /** Of each column, the place of the empty text, once an event had none. */
  readonly #emptyPlaces = new Int32Array(COLUMN_FIELDS.length);
  /** Of the event that was read last, by its own keys; UNSPECIFIED if they do not say it. */
  source = Source.UNSPECIFIED;
  /** The row of the event that was read last. */
  row = NOT_SENT;
  #start = 0;
  #requestObject: Span | undefined;
  #responseObject: Span | undefined;
  #hasObjectRef = false;
  #requestReceivedUs = 0;
  #stageUs = 0;

  constructor(body: Buffer, table: EventTable) {
    this.#body = body;
    this.#table = table;
    this.#words = wordsOf(body);
    this.#values = ValueCache.take({ bytes: body, words: this.#words }, COLUMN_FIELDS.length);
    this.#times = new TimeReader(body, this.#words);
  }

  /** Gives back what it read with. No event is to be read after it. */
  release(): void {
    this.#values.release();
  }

  /** Reads the event that begins at `start`. The position after it; -1 if that is for JSON.parse to do. */
  scan(start: number): number {
    if (this.#body[start] !== BYTE.openBrace) return -1;
    this.#start = start;
    this.#row.fill(NOT_SENT);
    this.source = Source.UNSPECIFIED;
    this.#requestObject = this.#responseObject = undefined;
    this.#hasObjectRef = false;
    this.#requestReceivedUs = this.#stageUs = 0;
    const end = this.#members(EVENT_KEYS, start);
    if (end < 0) {
      // Values may be there now that no row has.
      this.#table.hasUnused = true;
      return -1;
    }
    this.#fillIn();
    this.row = this.#table.addRow(this.#row, this.#requestReceivedUs, this.#stageUs);
    return end;
  }

  /** Reads the members of the object at `start`. The position after it; -1 if this is for JSON.parse to do. */
  #members(keys: KeyTable, start: number): number {
    const body = this.#body;
    let at = skipSpace(body, start + 1);
    if (body[at] === BYTE.closeBrace) return at + 1;
    let seen = 0;
    let before: ScanKey | undefined;
    for (;;) {
      let key: ScanKey | undefined | typeof ODD = before ? before.next : keys.first;
      let value: number;
      // Keys mostly come in the same order again.
      if (key?.member.isAt(body, this.#words, at)) value = skipSpace(body, at + key.member.length);
      else {
        if (body[at] !== BYTE.quote) return -1;
        const keyEnd = passPlain(body, this.#words, at + 1);
        if (body[keyEnd] !== BYTE.quote) return -1;
        key = keys.find(body, at + 1, keyEnd);
        value = valueAfterKey(body, keyEnd + 1);
        if (value < 0 || key === ODD) return -1;
      }
      if (key === undefined) at = passValue(body, this.#words, value);
      else {
        if (seen & key.bit) return -1;
        seen |= key.bit;
        if (key.source !== Source.UNSPECIFIED) this.source = key.source;
        if (before) before.next = key;
        else keys.first = key;
        before = key;
        at = this.#value(key, value);
      }
      if (at < 0) return -1;
      at = skipSpace(body, at);
      if (body[at] === BYTE.closeBrace) return at + 1;
      if (body[at] !== BYTE.comma) return -1;
      at = skipSpace(body, at + 1);
    }
  }

  /** Reads the value of a known key. The position after it; -1 if this is for JSON.parse to do. */
  #value(key: ScanKey, at: number): number {
    const body = this.#body;
    if (key.read === READ.nothing) return passValue(body, this.#words, at);
    // As if it were not there.
    if (body[at] === NULL) return passValue(body, this.#words, at);
    switch (key.read) {
      case READ.text:
        return this.#text(key.column, at);
      case READ.verb:
        return this.#verb(key.column, at);
      case READ.number:
        return this.#number(key.column, at);
      case READ.list:
        return this.#list(key.column, at);
      case READ.object:
        return this.#object(key, at);
      case READ.requestReceived:
      case READ.staged:
        return this.#time(key, at);
      default:
        return this.#bodyOf(key, at);
    }
  }

  #bodyOf({ read }: ScanKey, at: number): number {
    const end = passValue(this.#body, this.#words, at);
    if (read === READ.requestObject) this.#requestObject = { start: at, end };
    else this.#responseObject = { start: at, end };
    return end;
  }

  /** Where the bodies of the event that was read last are, from its own beginning on. */
  get bodies(): BodySpans {
    const RequestObject = this.#requestObject;
    const ResponseObject = this.#responseObject;
    if (RequestObject === undefined && ResponseObject === undefined) return NO_BODIES;
    return {
      RequestObject: from(this.#start, RequestObject),
      ResponseObject: from(this.#start, ResponseObject),
    };
  }

  #object({ below }: ScanKey, at: number): number {
    if (this.#body[at] !== BYTE.openBrace || below === undefined) return -1;
    if (below === OBJECT_REF_KEYS) this.#hasObjectRef = true;
    const end = this.#members(below, at);
    // Whoever parses the event later counts levels from here; nothing short is deep.
    return end - at > MAX_DEPTH && passValue(this.#body, this.#words, at) !== end ? -1 : end;
  }

  #text(column: number, at: number): number {
    const body = this.#body;
    const repeated = this.#repeated(column, at);
    if (repeated >= 0) return repeated;
    if (body[at] !== BYTE.quote) return -1;
    const end = passPlain(body, this.#words, at + 1) + 1;
    if (body[end - 1] === BYTE.quote) {
      const known = this.#values.find(column, at, end);
      this.#row[column] = known < 0 ? this.#newText(column, at, end) : known;
      return end;
    }
    const after = passString(body, this.#words, at);
    if (after >= 0) this.#row[column] = this.#table.place(column, textOf(body, at, after));
    return after;
  }

  /** The position after the value if it is that of the event before; -1 if it is another one. */
  #repeated(column: number, at: number): number {
    const end = this.#values.repeatedEnd(column, at);
    if (end >= 0) this.#row[column] = this.#values.lastPlace(column);
    return end;
  }

  #newText(column: number, start: number, end: number): number {
    const text = this.#body.toString('latin1', start + 1, end - 1);
    const isNew = this.#values.isWhole;
    const place = isNew ? this.#table.newText(column, text) : this.#table.place(column, text);
    this.#values.add(place);
    return place;
  }

  #verb(column: number, at: number): number {
    const body = this.#body;
    const repeated = this.#repeated(column, at);
    if (repeated >= 0) return repeated;
    if (body[at] !== BYTE.quote) return -1;
    const end = passPlain(body, this.#words, at + 1) + 1;
    if (body[end - 1] !== BYTE.quote) return -1;
    let place = this.#values.find(column, at, end);
    if (place < 0) {
      place = this.#table.place(column, body.toString('latin1', at + 1, end - 1).toLowerCase());
      this.#values.add(place);
    }
    this.#row[column] = place;
    return end;
  }

  /** A whole number without a sign: what a status code is. */
  #number(column: number, at: number): number {
    const body = this.#body;
    let end = this.#repeated(column, at);
    // It may go on.
    if (end >= 0 && (body[end] === BYTE.comma || body[end] === BYTE.closeBrace)) return end;
    end = at;
    while (isDigit(body[end] ?? 0)) end++;
    const isUsual = end > at && end - at <= DIGITS_MAX && (body[at] !== ZERO || end === at + 1);
    if (!isUsual || passValue(body, this.#words, at) !== end) return -1;
    let place = this.#values.find(column, at, end);
    if (place < 0) {
      place = this.#table.place(column, Number(body.toString('latin1', at, end)));
      this.#values.add(place);
    }
    this.#row[column] = place;
    return end;
  }

  /** A list of plain texts, as JSON.stringify writes it. */
  #list(column: number, at: number): number {
    const body = this.#body;
    const repeated = this.#repeated(column, at);
    if (repeated >= 0) return repeated;
    const end = passPlainList(body, this.#words, at);
    if (end < 0) return -1;
    let place = this.#values.find(column, at, end);
    if (place < 0) {
      place = this.#table.place(column, JSON.parse(body.toString('latin1', at, end)) as string[]);
      this.#values.add(place);
    }
    this.#row[column] = place;
    return end;
  }

  #time({ read }: ScanKey, at: number): number {
    const body = this.#body;
    if (body[at] !== BYTE.quote) return passValue(body, this.#words, at);
    let micros = this.#times.usualMicros(at + 1);
    let end = at + 1 + USUAL_LENGTH;
    if (micros < 0) {
      end = passPlain(body, this.#words, at + 1);
      if (body[end] !== BYTE.quote) return -1;
      micros = this.#times.micros(at + 1, end);
    }
    if (read === READ.staged) this.#stageUs = micros;
    else this.#requestReceivedUs = micros;
    return end + 1;
  }

  /** What Go has for fields that were not sent. */
  #fillIn(): void {
    for (const column of EMPTY_COLUMNS.ofEvent) this.#fillEmpty(column);
    if (this.#hasObjectRef) for (const column of EMPTY_COLUMNS.ofObjectRef) this.#fillEmpty(column);
    const row = this.#row;
    for (let column = 0; column < row.length; column++)
      if (row[column] === NOT_SENT) row[column] = 0;
  }

  #fillEmpty(column: number): void {
    if (this.#row[column] !== NOT_SENT) return;
    if (this.#emptyPlaces[column] === 0) this.#emptyPlaces[column] = this.#table.place(column, '');
    this.#row[column] = this.#emptyPlaces[column] ?? 0;
  }
}

function from(origin: number, span: Span | undefined): Span | undefined {
  return span && { start: span.start - origin, end: span.end - origin };
}

/** A string with escapes, or with more than ASCII. */
function textOf(body: Buffer, start: number, end: number): string {
  return JSON.parse(body.toString('utf8', start, end)) as string;
}
