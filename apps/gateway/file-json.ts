import { BodyError } from '@auditing/audit-event/body-error';

/** Bytes that can be read by position, such as a file. */
export interface Bytes {
  readonly size: number;
  read(start: number, end: number): Promise<Buffer>;
}

const WINDOW_BYTES = 1 << 20;

const OTHER = 0;
const SPACE = 1;
const QUOTE = 2;
const OPEN = 3;
const CLOSE = 4;
const COMMA = 5;

/** What each byte means outside of strings. */
const CLASS = new Uint8Array(256);
for (const byte of Buffer.from(' \t\n\r')) CLASS[byte] = SPACE;
for (const byte of Buffer.from('{[')) CLASS[byte] = OPEN;
for (const byte of Buffer.from('}]')) CLASS[byte] = CLOSE;
for (const byte of Buffer.from('"')) CLASS[byte] = QUOTE;
for (const byte of Buffer.from(',')) CLASS[byte] = COMMA;

const DOUBLE_QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * Walks over JSON that is too large for memory, one window at a time, by quotes and brackets alone: what it passes
 * over need not be valid.
 */
export class FileJson {
  readonly #bytes: Bytes;
  #window: Buffer = Buffer.alloc(0);
  /** Position of the window in the file. */
  #base = 0;
  /** Position in the window. */
  #at = 0;

  constructor(bytes: Bytes) {
    this.#bytes = bytes;
  }

  /** Position in the file. */
  get position(): number {
    return this.#base + this.#at;
  }

  /** The character after white space, without passing it; an empty string at the end. */
  async peek(): Promise<string> {
    for (;;) {
      const { length } = this.#window;
      while (this.#at < length && CLASS[this.#window[this.#at] ?? 0] === SPACE) this.#at++;
      if (this.#at < length) return String.fromCharCode(this.#window[this.#at] ?? 0);
      if (!(await this.#fill())) return '';
    }
  }

  /** Passes one of the characters given, and gives it. Throws BodyError if another one comes. */
  async pass(...expected: readonly string[]): Promise<string> {
    const found = await this.peek();
    if (!expected.includes(found)) {
      const what = found === '' ? 'the body ends' : `found ${JSON.stringify(found)}`;
      throw new BodyError(
        `not JSON: expected ${expected.join(' or ')}, ${what}`,
        `byte ${this.position}`,
      );
    }
    this.#at++;
    return found;
  }

  /** Passes the value that comes, whatever its size. Throws BodyError if it does not end, or there is none. */
  async passValue(): Promise<void> {
    await this.peek();
    const start = this.position;
    const kind = CLASS[this.#window[this.#at] ?? 0] ?? OTHER;
    if (kind === QUOTE || kind === OPEN) await this.#passEnclosed(start);
    else await this.#passWord();
    if (this.position === start) await this.pass('a value');
  }

  /** The bytes from `start` up to the position. */
  async since(start: number): Promise<Buffer> {
    if (start >= this.#base) return this.#window.subarray(start - this.#base, this.#at);
    return this.#bytes.read(start, this.position);
  }

  /** Passes a string, an object or an array. The loop looks at every byte of a body: it keeps to local variables. */
  async #passEnclosed(start: number): Promise<void> {
    let depth = 0;
    let inString = false;
    let escaped = false;
    do {
      const window = this.#window;
      const { length } = window;
      for (let at = this.#at; at < length; at++) {
        const byte = window[at] ?? 0;
        if (inString) {
          if (escaped) escaped = false;
          else if (byte === BACKSLASH) escaped = true;
          else if (byte === DOUBLE_QUOTE) inString = false;
          if (inString || depth > 0) continue;
        } else {
          const kind = CLASS[byte] ?? OTHER;
          if (kind === QUOTE) inString = true;
          else if (kind === OPEN) depth++;
          else if (kind === CLOSE) depth--;
          if (inString || depth > 0) continue;
        }
        this.#at = at + 1;
        return;
      }
      this.#at = length;
    } while (await this.#fill());
    throw this.#cutOff(start);
  }

  async #passWord(): Promise<void> {
    for (;;) {
      const { length } = this.#window;
      while (this.#at < length && CLASS[this.#window[this.#at] ?? 0] === OTHER) this.#at++;
      if (this.#at < length || !(await this.#fill())) return;
    }
  }

  /** Moves the window on; false at the end. */
  async #fill(): Promise<boolean> {
    const start = this.position;
    if (start >= this.#bytes.size) return false;
    this.#window = await this.#bytes.read(start, Math.min(this.#bytes.size, start + WINDOW_BYTES));
    this.#base = start;
    this.#at = 0;
    return true;
  }

  #cutOff(start: number): BodyError {
    return new BodyError(
      `the body ends after ${this.#bytes.size} bytes inside a value; send it whole`,
      `byte ${start}`,
    );
  }
}
