import { Source } from '@auditing/proto/event';
import { BodyError } from './body-error';
import { EVENT_FIELDS } from './event-fields';
import { BYTE, keyText, skipLoose, skipSpace, skipString, valueAfterKey } from './json-bytes';

/** The index of an item that is in no list. */
const NO_INDEX = -1;

/** What is done while a body is read. */
export interface ItemReader {
  /**
   * The position after the object that begins at `start`, which is an item of a list; -1 to have its quotes and brackets
   * counted instead. Whoever reads items anyway spares the body a second walk.
   */
  end(start: number): number;
  /** Takes the next item, not parsed yet; `reason` says why it can be no event, and is undefined if it may be one. */
  item(start: number, end: number, reason: string | undefined): void;
}

/** Top-level keys by which an object without a list is known for an event, in lower case. */
const EVENT_KEYS: ReadonlySet<string> = new Set(
  EVENT_FIELDS.filter((field) => !field.includes('.')).map((field) => field.toLowerCase()),
);
const LIST_KEY = 'ITEMS';
const NO_OBJECT = 'expected an event, which is a JSON object';
const NO_EVENT =
  'expected "items", "Items" or a field of an event such as "auditID"; the object has none of them';
/** The byte-order mark that some programs put before UTF-8. */
const BOM = Buffer.from([0xef, 0xbb, 0xbf]);
const NULL = Buffer.from('null');
/** Items until the one who reads may give way to others: it looks at the clock then. */
const ITEMS_A_TURN = 16;

/** Walks a body item by item; never recurses, whatever the nesting. Throws BodyError. */
export class BodyReader {
  /** Valid once the first item is yielded. */
  listSource = Source.UNSPECIFIED;
  /** How many values lie before the one that is read. */
  private documents = 0;
  /** Path of the value that holds the item that is handed over. */
  private holder = '$';
  /** Its place in the list that holds it; NO_INDEX if it is in none. */
  private index = NO_INDEX;
  private itemCount = 0;
  private readonly begin: number;

  constructor(
    private readonly body: Buffer,
    private readonly reader: ItemReader,
  ) {
    this.begin = skipSpace(body, body.subarray(0, BOM.length).equals(BOM) ? BOM.length : 0);
  }

  /** Hands over one item after the other; yields now and then, for the caller to give way to others. */
  *read(): Generator<void, void> {
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
      else at = this.scalar(at);
      this.documents++;
      at = skipSpace(body, at);
    }
  }

  private scalar(start: number): number {
    const end = this.valueEnd(start, '$');
    this.handOverBare(start, end, NO_OBJECT);
    return end;
  }

  /** A list, or one bare event. */
  private *object(start: number): Generator<void, number> {
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
    if (isList) return at;
    const reason = isEvent ? undefined : NO_EVENT;
    this.handOverBare(start, at, reason);
    if (this.isTurnOver()) yield;
    return at;
  }

  /** The value of a list key. */
  private *list(key: string, value: number): Generator<void, number> {
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

  private *array(open: number, path: string): Generator<void, number> {
    const { body, reader } = this;
    let at = skipSpace(body, open + 1);
    if (body[at] === BYTE.closeBracket) return at + 1;
    for (let index = 0; ; index++) {
      const isObject = body[at] === BYTE.openBrace;
      const known = isObject ? reader.end(at) : -1;
      const end = known < 0 ? this.valueEnd(at, path) : known;
      const reason = isObject ? undefined : NO_OBJECT;
      this.holder = path;
      this.index = index;
      this.handOver(at, end, reason);
      if (this.isTurnOver()) yield;
      at = skipSpace(body, end);
      if (body[at] === BYTE.closeBracket) return at + 1;
      if (body[at] !== BYTE.comma) throw this.unexpected(at, '"," or "]"');
      at = skipSpace(body, at + 1);
    }
  }

  private isTurnOver(): boolean {
    return ++this.itemCount % ITEMS_A_TURN === 0;
  }

  /** An item that is in no list. */
  private handOverBare(start: number, end: number, reason: string | undefined): void {
    this.holder = '$';
    this.index = NO_INDEX;
    this.handOver(start, end, reason);
  }

  private handOver(start: number, end: number, reason: string | undefined): void {
    if (this.listSource === Source.UNSPECIFIED) {
      this.listSource = sourceByFirstKey(this.body, start);
    }
    this.reader.item(start, end, reason);
  }

  /**
   * Where the item is that begins at `start` and is just handed over: a path such as `$.items[3]`, after `byte N: ` if
   * the body holds several values.
   */
  placeOf(start: number): string {
    const { holder, index } = this;
    return this.path(index === NO_INDEX ? holder : `${holder}[${index}]`, this.documents, start);
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

/** Where no list key says it: Go-cased keys are Kube AI Hub's. */
function sourceByFirstKey(body: Buffer, start: number): Source {
  const quote = body[start] === BYTE.openBrace ? skipSpace(body, start + 1) : start;
  const letter = body.toString('latin1', quote + 1, quote + 2);
  return letter >= 'A' && letter <= 'Z' ? Source.KUBE_AI_HUB : Source.KUBERNETES;
}
