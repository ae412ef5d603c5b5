import { Source } from '@auditing/proto/event';
import { BodyError } from './body-error';
import { EVENT_FIELDS } from './event-fields';
import { BYTE, keyText, skipLoose, skipSpace, skipString, valueAfterKey } from './json-bytes';

/** Positions in a body. */
interface Range {
  readonly start: number;
  readonly end: number;
}

/** One entry of a body, not parsed yet. */
export interface BodyItem extends Range {
  /** Path of the list that holds it, with its place; a function, because it is wanted only for bad items. */
  readonly at: () => string;
  /** Why it can be no event; undefined if it may be one. */
  readonly reason?: string;
}

/**
 * How the items of a list are told apart. `scanner` counts brackets and is always right. `marker` searches for the
 * bytes that begin the first item (such as `,{"level":"`), which is six times as fast: these bytes are never inside
 * a string, whose quotes would be escaped, but they can be deeper inside an item, so every item must be proven to be
 * one JSON object; if one is not, the body is read again with the scanner.
 */
export type CutBy = 'marker' | 'scanner';

/** Top-level keys by which an object without a list is known for an event, in lower case. */
const EVENT_KEYS: ReadonlySet<string> = new Set(
  EVENT_FIELDS.filter((field) => !field.includes('.')).map((field) => field.toLowerCase()),
);
const LIST_KEY = 'ITEMS';
/** The byte-order mark that some programs put before UTF-8. */
const BOM = Buffer.from([0xef, 0xbb, 0xbf]);
const NULL = Buffer.from('null');
/** How an item begins if it can serve as a marker: one key with a text value, without white space. */
const MARKER = /^\{"(level|Level|Devops|Workspace|AuditID|auditID)":"/;
const MARKER_MAX_BYTES = 16;

/** Walks a body and yields its items; never recurses, whatever the nesting. Throws BodyError. */
export class BodyReader {
  /** Valid once the first item is yielded. */
  listSource = Source.UNSPECIFIED;
  private documents = 0;
  private arrays = 0;
  private readonly begin: number;

  constructor(
    private readonly body: Buffer,
    private readonly cutBy: CutBy,
  ) {
    this.begin = skipSpace(body, body.subarray(0, BOM.length).equals(BOM) ? BOM.length : 0);
  }

  *items(): Generator<BodyItem, void> {
    const { body } = this;
    let at = this.begin;
    if (at === body.length) {
      throw new BodyError(
        'the body is empty; send an EventList, {"Items":[…]}, an array or events',
        '$',
      );
    }
    while (at < body.length) {
      if (body[at] === BYTE.openBrace) at = yield* this.object(at);
      else if (body[at] === BYTE.openBracket) at = yield* this.array(at, '$');
      else at = yield* this.scalar(at);
      this.documents++;
      at = skipSpace(body, at);
    }
  }

  private *scalar(start: number): Generator<BodyItem, number> {
    const end = this.valueEnd(start, '$');
    yield this.item({ start, end }, '$');
    return end;
  }

  /** A list, or one bare event. */
  private *object(start: number): Generator<BodyItem, number> {
    const { body } = this;
    let at = skipSpace(body, start + 1);
    let isList = false;
    let isEvent = false;
    let more = body[at] !== BYTE.closeBrace;
    while (more) {
      const { key, value } = this.member(at);
      if (key.length === LIST_KEY.length && key.toUpperCase() === LIST_KEY) {
        isList = true;
        at = yield* this.list(key, value);
      } else {
        isEvent ||= EVENT_KEYS.has(key.toLowerCase());
        at = this.valueEnd(value, `$.${key}`);
      }
      at = skipSpace(body, at);
      more = body[at] === BYTE.comma;
      if (more) at = skipSpace(body, at + 1);
      else if (body[at] !== BYTE.closeBrace) throw this.unexpected(at, '"," or "}"');
    }
    at++;
    if (!isList) yield this.bareEvent(start, at, isEvent);
    return at;
  }

  private bareEvent(start: number, end: number, isEvent: boolean): BodyItem {
    const item = this.item({ start, end }, '$');
    if (isEvent) return item;
    return {
      ...item,
      reason:
        'expected "items", "Items" or a field of an event such as "auditID"; the object has none of them',
    };
  }

  /** The value of a list key. */
  private *list(key: string, value: number): Generator<BodyItem, number> {
    const { body } = this;
    const lower = key.charAt(0) === key.charAt(0).toLowerCase();
    if (this.listSource === Source.UNSPECIFIED) {
      this.listSource = lower ? Source.KUBERNETES : Source.KUBE_AI_HUB;
    }
    if (body[value] === BYTE.openBracket) return yield* this.array(value, `$.${key}`);
    const end = value + NULL.length;
    if (body.subarray(value, end).equals(NULL)) return end;
    throw new BodyError('expected an array of events or null', this.path(`$.${key}`));
  }

  private *array(open: number, path: string): Generator<BodyItem, number> {
    const { body } = this;
    let at = skipSpace(body, open + 1);
    if (body[at] === BYTE.closeBracket) return at + 1;
    const marker = this.cutBy === 'marker' && this.arrays++ === 0 ? markerAt(body, at) : undefined;
    for (let index = 0; ; index++) {
      const next = marker ? body.indexOf(marker, at) : -1;
      const end = next < 0 ? this.valueEnd(at, path) : next;
      yield this.item({ start: at, end }, path, index);
      at = skipSpace(body, end);
      if (body[at] === BYTE.closeBracket) return at + 1;
      if (body[at] !== BYTE.comma) throw this.unexpected(at, '"," or "]"');
      at = skipSpace(body, at + 1);
    }
  }

  private item({ start, end }: Range, path: string, index?: number): BodyItem {
    const { body, documents } = this;
    if (this.listSource === Source.UNSPECIFIED) this.listSource = sourceByFirstKey(body, start);
    const place = index === undefined ? path : `${path}[${index}]`;
    const at = () => this.path(place, documents, start);
    if (body[start] === BYTE.openBrace) return { start, end, at };
    return { start, end, at, reason: 'expected an event, which is a JSON object' };
  }

  /** Key and position of the value of the member at `at`. */
  private member(at: number): { key: string; value: number } {
    const { body } = this;
    if (body[at] !== BYTE.quote) throw this.unexpected(at, 'a key in quotes');
    const keyEnd = skipString(body, at);
    if (keyEnd < 0) throw this.unexpected(body.length, 'the end of a key');
    const value = valueAfterKey(body, keyEnd);
    if (value < 0) throw this.unexpected(skipSpace(body, keyEnd), '":"');
    return { key: keyText(body, at, keyEnd) ?? '', value };
  }

  private valueEnd(at: number, path: string): number {
    const end = skipLoose(this.body, at);
    if (end === at) throw this.unexpected(at, `a value (${path})`);
    if (end < 0) {
      throw new BodyError(
        `the body ends after ${this.body.length} bytes inside a value; send it whole`,
        this.path(path, this.documents, at),
      );
    }
    return end;
  }

  /** `path`, with the position of the value if the body holds several. */
  private path(path: string, documents = this.documents, position = this.begin): string {
    return documents === 0 ? path : `byte ${position}: ${path}`;
  }

  private unexpected(at: number, expected: string): BodyError {
    const found = this.body.subarray(at, at + 1).toString('latin1');
    const what = at >= this.body.length ? 'the body ends' : `found ${JSON.stringify(found)}`;
    return new BodyError(`not JSON: expected ${expected}, ${what}`, `byte ${at}`);
  }
}

/** The bytes between two items, if the first item begins with a key that every item begins with. */
function markerAt(body: Buffer, first: number): Buffer | undefined {
  const begin = MARKER.exec(body.toString('latin1', first, first + MARKER_MAX_BYTES));
  return begin ? Buffer.from(`,${begin[0]}`, 'latin1') : undefined;
}

/** Where no list key says it: Go-cased keys are Kube AI Hub's. */
function sourceByFirstKey(body: Buffer, start: number): Source {
  const quote = body[start] === BYTE.openBrace ? skipSpace(body, start + 1) : start;
  const letter = body.toString('latin1', quote + 1, quote + 2);
  return letter >= 'A' && letter <= 'Z' ? Source.KUBE_AI_HUB : Source.KUBERNETES;
}
