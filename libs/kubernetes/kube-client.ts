import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { KubeConnection, KubeCredentials } from './kube-connection';
import { errorOfStatus, KubeError } from './kube-error';

/** A request that is not answered by then has failed; watches have a limit of their own. */
const REQUEST_TIMEOUT_MS = 30_000;
/** An object has at most 1.5 MiB, a page of a list at most 500 of them; what is larger is no answer of Kubernetes. */
const MAX_ANSWER_BYTES = 512 * 1024 * 1024;
/** As if a gateway in between had said it: what came is no answer of Kubernetes. */
const MALFORMED = 502;
/** A connection that died without a word is noticed while it idles. */
const KEEP_ALIVE_MS = 15_000;

/** One request. */
export interface KubeRequest {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** With a slash in front, without a query. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** `application/json` if not given. */
  readonly contentType?: string;
  readonly signal: AbortSignal;
}

/** Talks to one API server. */
export interface KubeClient {
  readonly connection: KubeConnection;
  /**
   * Sends a request and gives the object that comes back.
   *
   * @throws KubeError with the status and the words of the server; code 0 if it was not reached in time
   */
  readonly request: <T>(request: KubeRequest) => Promise<T>;
  /**
   * Sends a request and gives the lines of the answer as they come, parsed: a watch. Ends when the server ends it, or,
   * with an error, when no whole answer is there within `limitMs`.
   */
  readonly lines: <T>(request: KubeRequest, limitMs: number) => AsyncIterable<T>;
  /** Closes idle connections. */
  readonly close: () => void;
}

/** A client of the API server of a connection. It keeps its connections open. */
export function kubeClient(connection: KubeConnection): KubeClient {
  const send = sender(connection);
  return {
    connection,
    async request<T>(request: KubeRequest) {
      const limit = limitedTime(request.signal, REQUEST_TIMEOUT_MS);
      try {
        return (await answerOf(await send.send(request, limit.signal), request)) as T;
      } finally {
        limit.end();
      }
    },
    async *lines<T>(request: KubeRequest, limitMs: number) {
      const limit = limitedTime(request.signal, limitMs);
      try {
        const response = await send.send(request, limit.signal);
        if (isRefusal(response)) await answerOf(response, request);
        yield* linesOf<T>(response, request);
      } finally {
        limit.end();
      }
    },
    close: send.close,
  };
}

/** Aborts with another signal, or by itself when the time is over. */
function limitedTime(signal: AbortSignal, ms: number): { signal: AbortSignal; end: () => void } {
  const controller = new AbortController();
  const onAbort = (): void => controller.abort();
  const timer = setTimeout(onAbort, ms);
  signal.addEventListener('abort', onAbort);
  if (signal.aborted) onAbort();
  return {
    signal: controller.signal,
    end() {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    },
  };
}

interface Sender {
  readonly send: (request: KubeRequest, signal: AbortSignal) => Promise<IncomingMessage>;
  readonly close: () => void;
}

/** Keeps one pool of connections for as long as certificates stay the same. */
function agentPool(isTls: boolean): {
  agentFor: (credentials: KubeCredentials) => HttpAgent;
  close: () => void;
} {
  let pool: { readonly mark: string; readonly agent: HttpAgent } | undefined;
  return {
    agentFor({ ca, cert, key, serverName, insecure }) {
      const mark = JSON.stringify([ca, cert, key, serverName, insecure]);
      if (pool?.mark === mark) return pool.agent;
      // What is under way on the old one ends as it would have.
      const options = { keepAlive: true, keepAliveMsecs: KEEP_ALIVE_MS };
      const agent = isTls
        ? new HttpsAgent({
            ...options,
            ...(ca !== undefined && { ca }),
            ...(cert !== undefined && { cert }),
            ...(key !== undefined && { key }),
            ...(serverName !== undefined && { servername: serverName }),
            rejectUnauthorized: insecure !== true,
          })
        : new HttpAgent(options);
      pool = { mark, agent };
      return agent;
    },
    close: () => pool?.agent.destroy(),
  };
}

function sender(connection: KubeConnection): Sender {
  const isTls = connection.server.startsWith('https:');
  const { agentFor, close } = agentPool(isTls);
  return {
    async send(request, signal) {
      const credentials = await connection.credentials();
      const { authorization } = credentials;
      const body = request.body === undefined ? undefined : JSON.stringify(request.body);
      const headers = {
        accept: 'application/json',
        'user-agent': 'kube-auditing',
        ...(authorization !== undefined && { authorization }),
        ...(body !== undefined && {
          'content-type': request.contentType ?? 'application/json',
          'content-length': Buffer.byteLength(body),
        }),
      };
      const { method = 'GET' } = request;
      const options = { method, headers, signal, agent: agentFor(credentials) };
      const url = connection.server + request.path + queryText(request.query);
      const once = (): Promise<IncomingMessage> =>
        new Promise((resolve, reject) => {
          let isOver = false;
          const sent = (isTls ? httpsRequest : httpRequest)(url, options, (response) => {
            isOver = true;
            resolve(response);
          });
          // Listened to for good: what breaks TLS can be told twice, and an error that nobody listens for ends the process. What
          // breaks off an answer is told by the answer too.
          sent.on('error', (error: NodeJS.ErrnoException) => {
            if (isOver) return;
            isOver = true;
            // The server closed an idle connection just then: this says nothing about the server.
            const isStale = sent.reusedSocket && error.code === 'ECONNRESET' && method !== 'POST';
            if (isStale) once().then(resolve, reject);
            else reject(connectionError(error, request));
          });
          sent.end(body);
        });
      return once();
    },
    close,
  };
}

function queryText(query: KubeRequest['query'] = {}): string {
  const given = Object.entries(query).flatMap(([key, value]) =>
    value === undefined ? [] : [[key, String(value)] as [string, string]],
  );
  return given.length === 0 ? '' : `?${new URLSearchParams(given).toString()}`;
}

function whereOf({ method = 'GET', path }: KubeRequest): string {
  return `${method} ${path}`;
}

function connectionError(error: unknown, request: KubeRequest): KubeError {
  const code = (error as { readonly code?: unknown }).code;
  const words =
    code === 'ABORT_ERR'
      ? request.signal.aborted
        ? 'the caller gave up'
        : 'no answer of the API server in time'
      : `the API server is not reached (${typeof code === 'string' ? code : String(error)})`;
  return new KubeError(0, `${whereOf(request)}: ${words}`, { cause: error });
}

function isRefusal({ statusCode = 0 }: IncomingMessage): boolean {
  return statusCode < 200 || statusCode > 299;
}

async function answerOf(response: IncomingMessage, request: KubeRequest): Promise<unknown> {
  const text = await textOf(response, request);
  const where = whereOf(request);
  const { statusCode: code = 0 } = response;
  let value: unknown;
  try {
    value = text === '' ? undefined : JSON.parse(text);
  } catch (error) {
    const excerpt = text.slice(0, 200);
    throw new KubeError(code, `${where}: expected JSON, got ${JSON.stringify(excerpt)}`, {
      cause: error,
    });
  }
  if (isRefusal(response)) throw errorOfStatus(value, { code, where });
  return value;
}

async function textOf(response: IncomingMessage, request: KubeRequest): Promise<string> {
  const chunks: Buffer[] = [];
  let byteCount = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      byteCount += chunk.length;
      if (byteCount > MAX_ANSWER_BYTES)
        throw new RangeError(`the answer has more than ${MAX_ANSWER_BYTES} bytes`);
      chunks.push(chunk);
    }
  } catch (error) {
    throw connectionError(error, request);
  }
  return Buffer.concat(chunks).toString('utf8');
}

async function* linesOf<T>(response: IncomingMessage, request: KubeRequest): AsyncGenerator<T> {
  let rest = Buffer.alloc(0);
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      rest = Buffer.concat([rest, chunk]);
      if (rest.length > MAX_ANSWER_BYTES)
        throw new RangeError(`a line has more than ${MAX_ANSWER_BYTES} bytes`);
      for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
        const line = rest.subarray(0, end).toString('utf8');
        rest = rest.subarray(end + 1);
        if (line.trim() !== '') yield JSON.parse(line) as T;
      }
    }
  } catch (error) {
    if (error instanceof SyntaxError) {
      const message = `${whereOf(request)}: expected lines of JSON (${error.message})`;
      throw new KubeError(MALFORMED, message, { cause: error });
    }
    throw connectionError(error, request);
  } finally {
    response.destroy();
  }
}
