import { BodyError } from '@auditing/audit-event/body-error';
import { MAX_ITEMS } from '@auditing/audit-event/split-body';
import { FileJson, type Bytes } from './file-json';

/** A run of items of a large body, small enough for memory unless it is a single one. */
export interface BodyChunk {
  /** Its bytes: items with commas between them if `list`, else objects with white space between them. */
  readonly start: number;
  readonly end: number;
  readonly list: boolean;
  /** The key that held the list; empty for a bare array and for bare events. */
  readonly listKey: string;
  readonly itemCount: number;
}

/** A run of items ends when it reaches this size: as a part of the spool, which it becomes. */
const CHUNK_BYTES = 1 << 20;
/** And at this many items. */
const CHUNK_ITEMS = 4_096;

const LIST_KEY = 'ITEMS';
const NULL_BEGINS = 'n';
/** Longest text that is looked at as a key, escapes and quotes included. */
const KEY_MAX_BYTES = 256;
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

/**
 * Cuts a body that is too large for memory into runs of items, reading all of it once: a body that is cut off or no
 * JSON is refused before anything of it is written. It knows the forms that `decodeBody` knows; whether an item is an
 * event is for `decodeBody` to say.
 *
 * @throws {BodyError} if the body is damaged, or has too many items.
 */
export async function chunksOfLargeBody(body: Bytes): Promise<BodyChunk[]> {
  const walk = new Walk(body);
  await walk.documents();
  return walk.chunks;
}

class Walk {
  readonly chunks: BodyChunk[] = [];
  readonly #body: Bytes;
  readonly #json: FileJson;
  #itemCount = 0;

  constructor(body: Bytes) {
    this.#body = body;
    this.#json = new FileJson(body);
  }

  async documents(): Promise<void> {
    const head = await this.#body.read(0, Math.min(this.#body.size, BYTE_ORDER_MARK.length));
    if (head.equals(BYTE_ORDER_MARK)) await this.#json.passValue();
    for (let next = await this.#json.peek(); next !== ''; next = await this.#json.peek()) {
      if (next === '{') await this.#object();
      else if (next === '[') await this.#array('');
      else await this.#bare(() => this.#json.passValue());
    }
  }

  /** A list, or one bare event. */
  async #object(): Promise<void> {
    const json = this.#json;
    const start = json.position;
    await json.pass('{');
    let isList = false;
    if ((await json.peek()) === '}') await json.pass('}');
    else {
      do {
        const key = await this.#key();
        await json.pass(':');
        const next = await json.peek();
        const isListKey = key.length === LIST_KEY.length && key.toUpperCase() === LIST_KEY;
        if (isListKey && next !== '[' && next !== NULL_BEGINS) {
          throw new BodyError('expected an array of events or null', `$.${key}`);
        }
        if (isListKey && next === '[') await this.#array(key);
        else await json.passValue();
        isList ||= isListKey;
      } while ((await json.pass(',', '}')) === ',');
    }
    if (!isList) this.#add({ start, end: json.position, list: false, listKey: '' });
  }

  async #bare(pass: () => Promise<void>): Promise<void> {
    const start = this.#json.position;
    await pass();
    this.#add({ start, end: this.#json.position, list: false, listKey: '' });
  }

  async #array(listKey: string): Promise<void> {
    const json = this.#json;
    await json.pass('[');
    if ((await json.peek()) === ']') {
      await json.pass(']');
      return;
    }
    let joined = false;
    do {
      await json.peek();
      const start = json.position;
      await json.passValue();
      this.#add({ start, end: json.position, list: true, listKey }, joined);
      joined = true;
    } while ((await json.pass(',', ']')) === ',');
  }

  /** Adds an item: to the last run, if it belongs to the same list and there is room. */
  #add(item: Omit<BodyChunk, 'itemCount'>, sameList = !item.list): void {
    if (++this.#itemCount > MAX_ITEMS) {
      throw new BodyError(`more than ${MAX_ITEMS} items; send fewer in one body`, '$');
    }
    const last = this.chunks.at(-1);
    const fits =
      last &&
      sameList &&
      last.list === item.list &&
      item.end - last.start <= CHUNK_BYTES &&
      last.itemCount < CHUNK_ITEMS;
    if (!fits) this.chunks.push({ ...item, itemCount: 1 });
    else
      this.chunks[this.chunks.length - 1] = {
        ...last,
        end: item.end,
        itemCount: last.itemCount + 1,
      };
  }

  /** The text of the key that comes; empty if it is too long to be one that matters. */
  async #key(): Promise<string> {
    const json = this.#json;
    if ((await json.peek()) !== '"') await json.pass('"');
    const start = json.position;
    await json.passValue();
    if (json.position - start > KEY_MAX_BYTES) return '';
    try {
      return JSON.parse((await json.since(start)).toString()) as string;
    } catch {
      return '';
    }
  }
}
