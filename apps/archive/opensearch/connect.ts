import { status } from '@grpc/grpc-js';
import { RpcError } from '@auditing/service/rpc-error';
import { cancelled } from '@auditing/service/wait';
import { Client, errors } from '@opensearch-project/opensearch';

/** Where OpenSearch is, and who we are to it. */
export interface Endpoint {
  /** URLs of nodes; requests go to them in turn, and past those that are away. */
  readonly nodes: readonly string[];
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** PEM. Without a CA those of the system are trusted. */
  readonly tls: {
    readonly ca: Buffer | undefined;
    readonly cert: Buffer | undefined;
    readonly key: Buffer | undefined;
  };
  /** How long one request may take. */
  readonly timeoutMs: number;
}

/** A request to OpenSearch. */
export interface OpenSearchRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly parameters?: Readonly<Record<string, string | number | boolean>>;
  readonly body?: object;
  /** Lines of JSON, for `_bulk`; instead of `body`. */
  readonly lines?: string;
}

/** A connection to OpenSearch: the official client, with a signal, and with the errors that this engine tells apart. */
export interface OpenSearch {
  /**
   * Sends a request and gives the body of the answer.
   *
   * @throws AnswerError if OpenSearch answers with an error; RpcError UNAVAILABLE if it does not answer, CANCELLED if
   *   the signal aborts.
   */
  request<Answer>(request: OpenSearchRequest, signal: AbortSignal): Promise<Answer>;
  close(): Promise<void>;
}

/** An answer that is an error. */
export class AnswerError extends Error {
  override readonly name = 'AnswerError';

  constructor(
    readonly statusCode: number,
    /** OpenSearch's name of it, such as `mapper_parsing_exception`; may be empty. */
    readonly type: string,
    /** In OpenSearch's words. */
    readonly reason: string,
  ) {
    super(`OpenSearch answers ${statusCode} ${type}: ${reason}`);
  }
}

/** What OpenSearch's errors hold. */
interface ErrorBody {
  readonly error?:
    | string
    | { readonly type?: string; readonly reason?: string; readonly root_cause?: ErrorCause[] };
}

interface ErrorCause {
  readonly type?: string;
  readonly reason?: string;
}

/** Makes a connection. Nothing is sent before the first request. */
export function connect({ nodes, username, password, tls, timeoutMs }: Endpoint): OpenSearch {
  const client = new Client({
    nodes: [...nodes],
    requestTimeout: timeoutMs,
    // One try at each node: a request that failed everywhere is for its sender to repeat, who knows how often.
    maxRetries: nodes.length - 1,
    ...(username === undefined ? {} : { auth: { username, password: password ?? '' } }),
    ssl: {
      ...(tls.ca && { ca: tls.ca }),
      ...(tls.cert && { cert: tls.cert }),
      ...(tls.key && { key: tls.key }),
    },
  });
  return {
    async request<Answer>(
      { method, path, parameters, body, lines }: OpenSearchRequest,
      signal: AbortSignal,
    ): Promise<Answer> {
      if (signal.aborted) throw cancelled();
      const sent = client.transport.request({
        method,
        path,
        ...(parameters && { querystring: { ...parameters } }),
        ...(body && { body }),
        ...(lines !== undefined && { bulkBody: lines }),
      });
      const abort = (): void => {
        sent.abort();
      };
      signal.addEventListener('abort', abort, { once: true });
      try {
        return (await sent).body as Answer;
      } catch (error) {
        throw asKnown(error, signal);
      } finally {
        signal.removeEventListener('abort', abort);
      }
    },
    close: () => client.close(),
  };
}

function asKnown(error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return cancelled();
  if (error instanceof errors.ResponseError) return answerError(error);
  if (!(error instanceof errors.OpenSearchClientError)) return error;
  return new RpcError(
    status.UNAVAILABLE,
    `OpenSearch does not answer (${error.name}: ${error.message}); see AUDITING_OPENSEARCH_URL, and whether it runs`,
    { cause: error },
  );
}

function answerError(response: errors.ResponseError): AnswerError {
  const { error } = (response.meta.body ?? {}) as ErrorBody;
  if (error === undefined || typeof error === 'string') {
    return new AnswerError(response.meta.statusCode ?? 0, '', error ?? response.message);
  }
  // The root cause names the field or the setting; what stands above it is the name of the phase that failed.
  const cause = error.root_cause?.[0] ?? error;
  return new AnswerError(
    response.meta.statusCode ?? 0,
    cause.type ?? error.type ?? '',
    cause.reason ?? error.reason ?? '',
  );
}
