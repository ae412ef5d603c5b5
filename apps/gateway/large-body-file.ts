import { createHash, randomUUID, type Hash } from 'node:crypto';
import { open, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { notGzip } from './gzip';
import { Refusal, tooLarge } from './refusal';

/** How a body is written. */
export interface LargeBodyLimits {
  /** Largest body, unpacked. */
  readonly maxBytes: number;
  /** Whether it has to be unpacked. */
  readonly gzip: boolean;
}

const DISK_RETRY_AFTER_S = 5;
/** Read at a time to be hashed. */
const HASH_BYTES = 1 << 20;

/** A body that is too large for memory, in a file of its own while it is being taken. */
export class LargeBodyFile {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #hash: Hash = createHash('sha256');
  #size = 0;

  private constructor(path: string, file: FileHandle) {
    this.#path = path;
    this.#file = file;
  }

  /** @throws {Refusal} 503 if the disk does not take it. */
  static async create(directory: string): Promise<LargeBodyFile> {
    const path = join(directory, `${randomUUID()}.body`);
    return new LargeBodyFile(path, await open(path, 'wx+', 0o600).catch(diskFailed));
  }

  /** Bytes written. */
  get size(): number {
    return this.#size;
  }

  /** SHA-256 of all bytes written. */
  hash(): Buffer {
    return this.#hash.copy().digest();
  }

  /**
   * Writes a body, unpacked.
   *
   * @throws {Refusal} 413 over the limit, 503 if the disk does not take it.
   * @throws {BodyError} if it should be gzip and is not.
   */
  async write(chunks: AsyncIterable<Buffer>, { maxBytes, gzip }: LargeBodyLimits): Promise<void> {
    // Whichever end of a pipeline fails, the other is aborted: one of the two errors says why.
    let failure: unknown;
    const append = async (source: AsyncIterable<Buffer>): Promise<void> => {
      try {
        for await (const chunk of source) await this.#append(chunk, maxBytes);
      } catch (error) {
        failure = error;
        throw error;
      }
    };
    if (!gzip) return append(chunks);
    try {
      await pipeline(Readable.from(chunks), createGunzip(), append);
    } catch (error) {
      const cause = failure === undefined || isAbort(failure) ? error : failure;
      throw isZlibError(cause) ? notGzip(cause) : cause;
    }
  }

  async #append(chunk: Buffer, maxBytes: number): Promise<void> {
    if (this.#size + chunk.length > maxBytes) throw tooLarge(maxBytes);
    this.#hash.update(chunk);
    await this.#file.appendFile(chunk).catch(diskFailed);
    this.#size += chunk.length;
  }

  /** The bytes from `start` up to `end`. */
  async read(start: number, end: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafeSlow(end - start);
    for (let at = 0; at < bytes.length;) {
      const { bytesRead } = await this.#file.read(bytes, at, bytes.length - at, start + at);
      if (bytesRead === 0) throw new Error(`${this.#path} ends at ${start + at}, expected ${end}`);
      at += bytesRead;
    }
    return bytes;
  }

  /** What a dead letter keeps of the body, or of a part of it: its beginning, and the hash of all of it. */
  async letter(
    maxBytes: number,
    { start, end } = { start: 0, end: this.#size },
  ): Promise<{ data: Buffer; whole: { hash: Buffer; bytes: number } }> {
    const hash = createHash('sha256');
    for (let at = start; at < end; at += HASH_BYTES) {
      hash.update(await this.read(at, Math.min(end, at + HASH_BYTES)));
    }
    const data = await this.read(start, Math.min(end, start + maxBytes));
    return { data, whole: { hash: hash.digest(), bytes: end - start } };
  }

  async remove(): Promise<void> {
    await this.#file.close();
    await rm(this.#path, { force: true });
  }
}

function diskFailed(cause: unknown): never {
  throw new Refusal(503, 'the disk of the gateway does not take a large body; see its log', {
    retryAfterS: DISK_RETRY_AFTER_S,
    cause,
  });
}

function isAbort(error: unknown): boolean {
  return codeOf(error) === 'ABORT_ERR';
}

function isZlibError(error: unknown): boolean {
  return codeOf(error).startsWith('Z_');
}

function codeOf(error: unknown): string {
  return String((error as { readonly code?: unknown } | null)?.code);
}
