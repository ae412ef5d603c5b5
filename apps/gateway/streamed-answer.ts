import { Readable } from 'node:stream';

/** How a list is written as JSON. */
export interface ListLayout<Response> {
  /** Before the first record. */
  readonly head: string;
  /** In place of the list if there is no record. */
  readonly none: string;
  /** The records of a message, as JSON texts. */
  readonly records: (response: Response) => readonly string[];
  /** After the list: what the last message says. */
  readonly tail: (last: Response | undefined) => string;
}

/**
 * Writes the messages of a call as a JSON list while they come in, so that a large one takes no more memory than a small
 * one: the next message is taken when the client has taken what came before.
 *
 * Resolves when the first part is there: until then an error can still become an answer.
 */
export function streamedList<Response>(
  responses: AsyncIterable<Response>,
  layout: ListLayout<Response>,
): Promise<Readable> {
  return streamed(write(responses, layout));
}

/** Chunks as they come, once the first one is there. */
export async function streamed(chunks: AsyncGenerator<string | Buffer>): Promise<Readable> {
  const first = await chunks.next();
  return Readable.from(from(first, chunks), { objectMode: false });
}

async function* write<Response>(
  responses: AsyncIterable<Response>,
  { head, none, records, tail }: ListLayout<Response>,
): AsyncGenerator<string, void> {
  let last: Response | undefined;
  let isEmpty = true;
  for await (const response of responses) {
    last = response;
    const text = records(response).join(',');
    if (text === '') continue;
    yield isEmpty ? `${head}[${text}` : `,${text}`;
    isEmpty = false;
  }
  yield `${isEmpty ? `${head}${none}` : ']'}${tail(last)}`;
}

async function* from(
  first: IteratorResult<string | Buffer>,
  rest: AsyncGenerator<string | Buffer>,
): AsyncGenerator<string | Buffer, void> {
  try {
    if (first.done === true) return;
    yield first.value;
    yield* rest;
  } finally {
    // A client that went away before the second part: whoever sends must hear of it.
    await rest.return(undefined);
  }
}
