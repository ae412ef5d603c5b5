import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { BodyError } from '@auditing/audit-event/body-error';

const inflate = promisify(gunzip);

/**
 * Unpacks a gzipped body; undefined if that gives more than `maxBytes`, of which no more is made.
 *
 * @throws {BodyError} if it is not gzip, or not whole.
 */
export async function gunzipWithin(packed: Buffer, maxBytes: number): Promise<Buffer | undefined> {
  try {
    return await inflate(packed, { maxOutputLength: maxBytes });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') return undefined;
    throw notGzip(error);
  }
}

/** What to say of a body whose Content-Encoding is gzip and whose bytes are not. */
export function notGzip(cause: unknown): BodyError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new BodyError(`not gzip, although Content-Encoding says so: ${why}`, '$');
}
