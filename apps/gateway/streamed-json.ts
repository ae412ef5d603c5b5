import { Readable } from 'node:stream';
import type { AuditEvent } from '@auditing/proto/event';
import type { SearchResponse } from '@auditing/proto/archive';

/** How the answer of a search is written. */
export interface SearchLayout {
  /** Before the first event. */
  readonly head: string;
  /** In place of the list if there is no event. */
  readonly none: string;
  readonly record: (event: AuditEvent) => string;
  /** After the list: what the last message says. */
  readonly tail: (last: SearchResponse | undefined) => string;
}

/**
 * Writes the answer of a search as JSON while it comes in, so that a large one takes no more memory than a small one.
 * Resolves when the first part is there: until then an error can still become an answer.
 */
export async function searchAnswer(
  responses: AsyncIterable<SearchResponse>,
  layout: SearchLayout,
): Promise<Readable> {
  const chunks = write(responses, layout);
  const first = await chunks.next();
  return Readable.from(from(first, chunks), { objectMode: false });
}

async function* write(
  responses: AsyncIterable<SearchResponse>,
  { head, none, record, tail }: SearchLayout,
): AsyncGenerator<string, void> {
  let last: SearchResponse | undefined;
  let count = 0;
  for await (const response of responses) {
    last = response;
    const text = response.events.map(record).join(',');
    if (text === '') continue;
    yield count === 0 ? `${head}[${text}` : `,${text}`;
    count += response.events.length;
  }
  yield `${count === 0 ? `${head}${none}` : ']'}${tail(last)}`;
}

async function* from(
  first: IteratorResult<string, void>,
  rest: AsyncGenerator<string, void>,
): AsyncGenerator<string, void> {
  if (!first.done) yield first.value;
  yield* rest;
}
