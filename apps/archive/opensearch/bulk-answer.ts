import { OF_THE_SET_UP } from './as-rpc-error';
import { AnswerError } from './connect';

/** What became of one document. */
export type Outcome =
  | { readonly kind: 'created' }
  /** A document with its id was there: the event is stored already. */
  | { readonly kind: 'exists' }
  /** It can be taken later: no room, no shard, no right. */
  | { readonly kind: 'later'; readonly why: string }
  /** It will never be taken. */
  | { readonly kind: 'refused'; readonly why: string };

/** The answer to `_bulk`, as far as it is read. */
export interface BulkAnswer {
  readonly items?: readonly { readonly create?: BulkItem }[];
}

interface BulkItem {
  readonly status?: number;
  readonly error?: { readonly type?: string; readonly reason?: string; readonly caused_by?: Cause };
}

interface Cause {
  readonly type?: string;
  readonly reason?: string;
}

/** What became of each of `count` documents. An answer that does not speak of each proves nothing: all of them later. */
export function outcomesOf({ items = [] }: BulkAnswer, count: number): Outcome[] {
  if (items.length !== count) {
    const why = `OpenSearch answered for ${items.length} of ${count} documents`;
    return Array.from({ length: count }, () => ({ kind: 'later', why }));
  }
  return items.map(({ create }) => outcomeOf(create ?? {}));
}

function outcomeOf({ status = 0, error }: BulkItem): Outcome {
  if (error === undefined && status >= 200 && status < 300) return { kind: 'created' };
  const type = error?.type ?? '';
  if (status === 409 && type === 'version_conflict_engine_exception') return { kind: 'exists' };
  const cause = error?.caused_by?.reason;
  const reason = `${error?.reason ?? 'no reason given'}${cause === undefined ? '' : ` (${cause})`}`;
  return failure(new AnswerError(status, type, reason));
}

/** What an error means for the documents it is about. */
export function failure(error: AnswerError): Outcome {
  return { kind: isFinal(error) ? 'refused' : 'later', why: error.message };
}

/**
 * Only what is wrong with a document is final. All other errors (429, 5xx, a block, a missing index or right) are of the
 * cluster, and an event must not be given up for them.
 */
function isFinal({ statusCode, type, reason }: AnswerError): boolean {
  if (statusCode === 413) return true;
  if (statusCode === 429) return neverFits(reason);
  return statusCode === 400 && !OF_THE_SET_UP.has(type);
}

/** A request that is larger than the whole room for requests is refused in the same words as one that comes too early. */
function neverFits(reason: string): boolean {
  const size = /coordinating_operation_bytes=(\d+)/.exec(reason)?.[1];
  const room = /max_coordinating_and_primary_bytes=(\d+)/.exec(reason)?.[1];
  return size !== undefined && room !== undefined && Number(size) > Number(room);
}
