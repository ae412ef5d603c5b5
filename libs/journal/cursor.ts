import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import type { Files } from './files';
import { JournalCorruptError } from './journal-error';

/** A small value on disk, replaced whole: a position, a set of marks. */
export interface Cursor {
  /** What was saved last and is on disk; undefined before the first save. */
  readonly value: Buffer | undefined;
  /**
   * Replaces the value; resolves when it, or one saved after it, is on disk. Calls that wait while a write is
   * under way are joined into one. Rejects if writing failed: the value before stays.
   */
  save(value: Uint8Array): Promise<void>;
}

/*
 * A copy, little-endian: 8 bytes magic, f64 generation, u32 CRC-32 of those and the value, value.
 */
const MAGIC = Buffer.from('KACURSOR');
const HEADER_BYTES = 20;

interface Copy {
  readonly generation: number;
  readonly value: Buffer;
}

/**
 * Opens the value kept at `path`. Its folder is made if missing. Beside it lies the copy before, `path.previous`:
 * it counts when the first is damaged, which costs one save.
 *
 * Rejects with JournalCorruptError if there are copies and none is whole: going on as if nothing had ever been
 * saved would be wrong.
 */
export async function openCursor(files: Files, path: string): Promise<Cursor> {
  await files.makeDirectory(dirname(path));
  const newest = await newestCopy(files, path);
  // A name that a killed process left in the memory of the kernel must not vanish after it was relied on.
  await files.syncDirectory(dirname(path));
  return new FileCursor(files, path, newest);
}

/**
 * Replaces a file whole: after a crash it has either the old bytes or the new ones. One call at a time for a path.
 */
export async function writeDurably(files: Files, path: string, bytes: Uint8Array): Promise<void> {
  await writeBeside(files, path, bytes);
  await files.rename(`${path}.new`, path);
  await files.syncDirectory(dirname(path));
}

async function writeBeside(files: Files, path: string, bytes: Uint8Array): Promise<void> {
  const file = await files.open(`${path}.new`, 'create');
  try {
    await file.write(0, [bytes]);
    await file.sync();
  } finally {
    await file.close();
  }
}

class FileCursor implements Cursor {
  readonly #files: Files;
  readonly #path: string;
  #durable: Copy | undefined;
  #latest: Uint8Array | undefined;
  #writing: Promise<void> = Promise.resolve();
  #waiting: Promise<void> | undefined;

  constructor(files: Files, path: string, newest: Copy | undefined) {
    this.#files = files;
    this.#path = path;
    this.#durable = newest;
  }

  get value(): Buffer | undefined {
    return this.#durable?.value;
  }

  save(value: Uint8Array): Promise<void> {
    this.#latest = value;
    // Those that come until it begins are joined: it takes the latest value when its turn comes.
    this.#waiting ??= this.#writing.then(() => this.#write());
    this.#writing = this.#waiting.catch(() => undefined);
    return this.#waiting;
  }

  async #write(): Promise<void> {
    const value = Buffer.from(this.#latest ?? []);
    this.#waiting = this.#latest = undefined;
    const copy: Copy = { generation: (this.#durable?.generation ?? 0) + 1, value };
    const [files, path] = [this.#files, this.#path];
    await writeBeside(files, path, encodeCopy(copy));
    await files.rename(path, `${path}.previous`).catch(ignoreMissing);
    await files.rename(`${path}.new`, path);
    await files.syncDirectory(dirname(path));
    this.#durable = copy;
  }
}

async function newestCopy(files: Files, path: string): Promise<Copy | undefined> {
  const copies: Buffer[] = [];
  for (const name of [path, `${path}.previous`]) {
    const bytes = await readWhole(files, name);
    if (bytes) copies.push(bytes);
  }
  const whole = copies.map(decodeCopy).filter((copy) => copy !== undefined);
  if (copies.length > 0 && whole.length === 0)
    throw new JournalCorruptError(
      `journal: ${path} is damaged, and so is the copy before: restore one, or remove both to begin anew`,
      { position: 0, next: 0 },
    );
  return whole.sort((a, b) => b.generation - a.generation)[0];
}

async function readWhole(files: Files, path: string): Promise<Buffer | undefined> {
  try {
    const file = await files.open(path, 'read');
    try {
      return await file.read(0, await file.size());
    } finally {
      await file.close();
    }
  } catch (error) {
    ignoreMissing(error);
    return undefined;
  }
}

function ignoreMissing(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
}

function encodeCopy(copy: Copy): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  MAGIC.copy(header);
  header.writeDoubleLE(copy.generation, 8);
  header.writeUInt32LE(crc32(copy.value, crc32(header.subarray(0, 16))), 16);
  return Buffer.concat([header, copy.value]);
}

function decodeCopy(bytes: Buffer): Copy | undefined {
  if (bytes.length < HEADER_BYTES || !bytes.subarray(0, MAGIC.length).equals(MAGIC))
    return undefined;
  const value = bytes.subarray(HEADER_BYTES);
  if (bytes.readUInt32LE(16) !== crc32(value, crc32(bytes.subarray(0, 16)))) return undefined;
  return { generation: bytes.readDoubleLE(8), value };
}
