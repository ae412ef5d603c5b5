import { createHash } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DeadLetter } from '@auditing/proto/spool';

/** What could not be taken: a whole body, items of a list that are no events, one event that a service refused. */
export type DeadLetterKind = 'body' | 'item' | 'event';

/** A dead letter to be kept. What is not given is derived from `data`. */
export interface NewDeadLetter {
  readonly kind: DeadLetterKind;
  /** When it came, in microseconds since 1970 (UTC). */
  readonly receivedAtUs: number;
  /** Why it could not be taken: what was expected, what came, where. */
  readonly reason: string;
  /** The bytes as received, or their beginning. */
  readonly data: Buffer;
  /** SHA-256 and size of all bytes, if `data` is only their beginning. */
  readonly whole?: { readonly hash: Buffer; readonly bytes: number };
  /** Address of the sender. */
  readonly peer?: string;
  /** How a service refused it for good. */
  readonly error?: DeadLetter['error'];
}

/** What is known of a kept letter without opening it. */
export interface DeadLetterEntry {
  /** 64 hexadecimal digits. */
  readonly hash: string;
  readonly kind: DeadLetterKind;
  readonly receivedAtUs: number;
  /** Bytes on disk. */
  readonly bytes: number;
}

/** Limits and reports of a store. */
export interface DeadLettersOptions {
  readonly directory: string;
  /** Bytes on disk; the oldest letters make room. */
  readonly maxBytes: number;
  readonly maxCount: number;
  /** Called for each letter that made room. */
  readonly onEvicted?: (entry: DeadLetterEntry) => void;
}

/** No letter may fill more than this share of the store: a few big ones must not evict all others. */
const LETTER_SHARE = 1 / 8;
/** Room in a letter for what is not `data`. */
const ENVELOPE_BYTES = 4_096;
const MAX_REASON_CHARACTERS = 1_000;
const NAME = /^(\d+)-(body|item|event)-([0-9a-f]{64})\.letter$/;
const UNFINISHED = '.unfinished';

/**
 * What the gateway could not take as it came, one file each, kept once however often it comes again. Bounded: the
 * oldest make room.
 */
export class DeadLetters {
  readonly #options: DeadLettersOptions;
  /** By hash, oldest first. */
  readonly #entries: Map<string, DeadLetterEntry>;
  #bytes = 0;
  /** Additions and removals run one after the other: each looks at the room that the one before left. */
  #last: Promise<unknown> = Promise.resolve();

  private constructor(options: DeadLettersOptions, entries: readonly DeadLetterEntry[]) {
    this.#options = options;
    this.#entries = new Map(entries.map((entry) => [entry.hash, entry]));
    for (const entry of entries) this.#bytes += entry.bytes;
  }

  /** Opens the store, with the letters that lie in its folder. */
  static async open(options: DeadLettersOptions): Promise<DeadLetters> {
    const { directory } = options;
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const entries: DeadLetterEntry[] = [];
    for (const name of await readdir(directory)) {
      if (name.endsWith(UNFINISHED)) await rm(join(directory, name), { force: true });
      const [, receivedAtUs, kind, hash] = NAME.exec(name) ?? [];
      if (!hash) continue;
      const { size } = await stat(join(directory, name));
      entries.push({
        hash,
        kind: kind as DeadLetterKind,
        receivedAtUs: Number(receivedAtUs),
        bytes: size,
      });
    }
    entries.sort((a, b) => a.receivedAtUs - b.receivedAtUs);
    return new DeadLetters(options, entries);
  }

  get count(): number {
    return this.#entries.size;
  }

  /** Bytes on disk. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Most bytes of `data` that one letter keeps. */
  get maxDataBytes(): number {
    return Math.max(0, Math.floor(this.#options.maxBytes * LETTER_SHARE) - ENVELOPE_BYTES);
  }

  /** Keeps a letter. Resolves when it is on disk: true, or false if the same bytes are kept already. */
  add(letter: NewDeadLetter): Promise<boolean> {
    return this.#inTurn(() => this.#add(letter));
  }

  /** The letters, newest first, from the one after `after` (a hash) on. */
  list(limit: number, after?: string): DeadLetterEntry[] {
    const newestFirst = [...this.#entries.values()].reverse();
    const from = after === undefined ? 0 : newestFirst.findIndex(({ hash }) => hash === after) + 1;
    return newestFirst.slice(from, from + limit);
  }

  /** A letter with its bytes; undefined if it is not kept (any more). */
  async get(hash: string): Promise<DeadLetter | undefined> {
    const entry = this.#entries.get(hash);
    if (!entry) return undefined;
    try {
      return DeadLetter.decode(await readFile(this.#path(entry)));
    } catch (error) {
      // It made room while we went to read it.
      if (!this.#entries.has(hash)) return undefined;
      throw error;
    }
  }

  /** Removes a letter; false if it was not there. */
  remove(hash: string): Promise<boolean> {
    return this.#inTurn(async () => {
      const entry = this.#entries.get(hash);
      if (entry) await this.#remove(entry);
      return entry !== undefined;
    });
  }

  async #add(letter: NewDeadLetter): Promise<boolean> {
    const hash = letter.whole?.hash ?? createHash('sha256').update(letter.data).digest();
    const key = hash.toString('hex');
    if (this.#entries.has(key)) return false;
    const encoded = DeadLetter.encode(
      DeadLetter.create({
        hash,
        receivedAtUs: letter.receivedAtUs,
        reason: letter.reason.slice(0, MAX_REASON_CHARACTERS),
        kind: letter.kind,
        data: letter.data.subarray(0, this.maxDataBytes),
        dataBytes: BigInt(letter.whole?.bytes ?? letter.data.length),
        peer: letter.peer ?? '',
        error: letter.error,
      }),
    ).finish();
    const entry: DeadLetterEntry = {
      hash: key,
      kind: letter.kind,
      receivedAtUs: Math.trunc(letter.receivedAtUs),
      bytes: encoded.length,
    };
    await this.#makeRoom(entry.bytes);
    await this.#write(entry, encoded);
    this.#entries.set(key, entry);
    this.#bytes += entry.bytes;
    return true;
  }

  async #makeRoom(bytes: number): Promise<void> {
    const { maxBytes, maxCount, onEvicted } = this.#options;
    for (const oldest of this.#entries.values()) {
      if (this.count < maxCount && this.#bytes + bytes <= maxBytes) return;
      await this.#remove(oldest);
      onEvicted?.(oldest);
    }
  }

  /** Under its own name only once it is whole and synced: a letter found after a crash can be read. */
  async #write(entry: DeadLetterEntry, encoded: Uint8Array): Promise<void> {
    const path = this.#path(entry);
    const file = await open(path + UNFINISHED, 'w', 0o600);
    try {
      await file.writeFile(encoded);
      await file.datasync();
    } finally {
      await file.close();
    }
    await rename(path + UNFINISHED, path);
    const directory = await open(this.#options.directory, 'r');
    await directory.sync().finally(() => directory.close());
  }

  async #remove(entry: DeadLetterEntry): Promise<void> {
    await rm(this.#path(entry), { force: true });
    this.#entries.delete(entry.hash);
    this.#bytes -= entry.bytes;
  }

  #path({ receivedAtUs, kind, hash }: DeadLetterEntry): string {
    return join(this.#options.directory, `${receivedAtUs}-${kind}-${hash}.letter`);
  }

  #inTurn<T>(step: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(step, step);
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}
