import type { IncomingHttpHeaders } from 'node:http';
import { Refusal } from './refusal';

/** What the headers say of a body. */
export interface BodyHeaders {
  /** Content-Length; undefined for a chunked body. */
  readonly length: number | undefined;
  readonly gzip: boolean;
}

/**
 * Types of a body that is JSON: `application/json`, `text/json`, anything `+json`, and the names that go round for
 * JSON lines. Parameters (charset) are ignored: bodies are bytes, and those that are not UTF-8 are kept as they came.
 */
const JSON_TYPE =
  /^(application\/(x-)?(json|ndjson|jsonlines?|jsonl|json-lines)|text\/json|[\w.!#$&^-]+\/[\w.!#$&^-]+\+json)$/;

/**
 * Reads the headers of a body. A missing Content-Type is taken for JSON: some senders have none, and a body that is
 * not JSON is refused when it is read.
 *
 * @throws {Refusal} 415 for another type or an encoding that is not understood.
 */
export function bodyHeaders(headers: IncomingHttpHeaders): BodyHeaders {
  const type = headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (type !== '' && !JSON_TYPE.test(type)) {
    throw new Refusal(415, `expected Content-Type application/json, got ${JSON.stringify(type)}`);
  }
  const encoding = headers['content-encoding']?.trim().toLowerCase() ?? '';
  const gzip = encoding === 'gzip' || encoding === 'x-gzip';
  if (!gzip && encoding !== '' && encoding !== 'identity') {
    throw new Refusal(
      415,
      `expected Content-Encoding gzip or none, got ${JSON.stringify(encoding)}`,
      { headers: { 'Accept-Encoding': 'gzip, identity' } },
    );
  }
  const length = headers['content-length'];
  const chunked = headers['transfer-encoding'] !== undefined;
  return { gzip, length: chunked ? undefined : Number(length ?? 0) };
}
