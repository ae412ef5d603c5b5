import { setMaxListeners } from 'node:events';

import { status } from '@grpc/grpc-js';
import { backoffMs, type Backoff } from '@auditing/service/retry';
import { RpcError } from '@auditing/service/rpc-error';
import { semaphore } from '@auditing/service/semaphore';
import { wait } from '@auditing/service/wait';

import { asRpcError } from './as-rpc-error';
import { failure, outcomesOf, type BulkAnswer, type Outcome } from './bulk-answer';
import { AnswerError, type OpenSearch } from './connect';

/** Bytes of one request, unless one document alone has more: OpenSearch works best with 5 to 15 MB. */
const REQUEST_MAX_BYTES = 8 * 2 ** 20;

/** Requests at once: enough to keep a few nodes busy, and little enough to be no flood. */
const REQUESTS_MAX = 4;

/** How often a document is sent within one Append; afterwards it is for the gateway to wait. */
const TRIES_MAX = 6;

const DEFAULT_BACKOFF: Backoff = { initialMs: 100, maxMs: 5_000 };

/** A document, ready to be sent. */
export interface BulkLine {
  readonly index: string;
  readonly id: string;
  readonly json: string;
}

/** What became of a document for good. */
export type Written = Extract<Outcome, { kind: 'created' | 'exists' | 'refused' }>;

/** Writes documents in bulk. */
export class BulkWriter {
  readonly #opensearch: Pick<OpenSearch, 'request'>;
  readonly #backoff: Backoff;
  readonly #turns = semaphore(REQUESTS_MAX);
  readonly #closing = new AbortController();
  /** Told how many documents are sent again. */
  readonly #onRetry: (count: number) => void;

  constructor(
    opensearch: Pick<OpenSearch, 'request'>,
    options: { readonly onRetry?: (count: number) => void; readonly backoff?: Backoff } = {},
  ) {
    this.#opensearch = opensearch;
    this.#onRetry = options.onRetry ?? (() => undefined);
    this.#backoff = options.backoff ?? DEFAULT_BACKOFF;
    // Every request under way listens to it.
    setMaxListeners(0, this.#closing.signal);
  }

  /**
   * Creates documents, and says of each what became of it. What cannot be taken now is sent again, alone, a few times.
   *
   * @throws UNAVAILABLE if some could not be stored: others may have been, and are found to be there when all are sent
   *   again.
   */
  async write(lines: readonly BulkLine[]): Promise<Written[]> {
    const written = new Map<BulkLine, Written>();
    let left = lines;
    for (let attempt = 1; ; attempt += 1) {
      const outcomes = await this.#sendAll(left);
      let why = '';
      const again: BulkLine[] = [];
      left.forEach((line, at) => {
        const outcome = outcomes[at];
        if (outcome === undefined || outcome.kind === 'later') {
          again.push(line);
          why = outcome?.why ?? '';
        } else written.set(line, outcome);
      });
      if (again.length === 0) break;
      if (attempt === TRIES_MAX) throw unavailable(again.length, why);
      this.#onRetry(again.length);
      await wait(backoffMs(attempt, this.#backoff), this.#closing.signal);
      left = again;
    }
    return lines.map((line) => written.get(line) ?? { kind: 'exists' });
  }

  /** Ends what is under way, with CANCELLED. */
  close(): void {
    this.#closing.abort();
  }

  async #sendAll(lines: readonly BulkLine[]): Promise<Outcome[]> {
    const outcomes: Outcome[] = [];
    for (const request of cut(lines)) outcomes.push(...(await this.#send(request)));
    return outcomes;
  }

  async #send(lines: readonly BulkLine[]): Promise<Outcome[]> {
    const { signal } = this.#closing;
    await this.#turns.take(signal);
    let error: AnswerError;
    try {
      const answer = await this.#opensearch.request<BulkAnswer>(
        {
          method: 'POST',
          path: '/_bulk',
          parameters: { filter_path: 'items.*.status,items.*.error' },
          lines: lines.map(({ index, id, json }) => `${actionOf(index, id)}\n${json}\n`).join(''),
        },
        signal,
      );
      return outcomesOf(answer, lines.length);
    } catch (caught) {
      if (!(caught instanceof AnswerError)) throw caught;
      // No right now, none after a wait of seconds.
      if (caught.statusCode === 401 || caught.statusCode === 403) throw asRpcError(caught);
      error = caught;
    } finally {
      this.#turns.give();
    }
    const outcome = failure(error);
    if (outcome.kind !== 'refused' || lines.length === 1) return lines.map(() => outcome);
    // It is too much for one request, or one document spoils it: the halves tell which.
    const half = Math.floor(lines.length / 2);
    return [...(await this.#send(lines.slice(0, half))), ...(await this.#send(lines.slice(half)))];
  }
}

function actionOf(index: string, id: string): string {
  return JSON.stringify({ create: { _index: index, _id: id } });
}

function* cut(lines: readonly BulkLine[]): Iterable<readonly BulkLine[]> {
  let part: BulkLine[] = [];
  let bytes = 0;
  for (const line of lines) {
    const length = Buffer.byteLength(line.json);
    if (part.length > 0 && bytes + length > REQUEST_MAX_BYTES) {
      yield part;
      part = [];
      bytes = 0;
    }
    part.push(line);
    bytes += length;
  }
  if (part.length > 0) yield part;
}

function unavailable(count: number, why: string): RpcError {
  return new RpcError(
    status.UNAVAILABLE,
    `${count} events could not be stored in OpenSearch, send the batch again later: ${why}`,
  );
}
