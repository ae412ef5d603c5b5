import { X509Certificate } from 'node:crypto';
import { isIP, type LookupFunction } from 'node:net';
import { rootCertificates } from 'node:tls';
import { Pool, type Dispatcher } from 'undici';
import { cancelled } from '@auditing/service/wait';
import { signatureHeaders, type Access, type ReadAccess } from './access';
import { shownUrl } from './address';
import { checkAddress, lookupAllowed, type BlockedAddresses } from './blocked-addresses';
import type { Answer } from './receiver';

/** What is read of an answer: of a POST its text is for people, of a GET it is some ten thousand alerts. */
const ANSWER_MAX_BYTES = { POST: 1_024 * 1_024, GET: 16 * 1_024 * 1_024 };
/**
 * What is told of it, in the status of receivers and of the Webhook resource, in dead letters, in the log: enough for the words
 * of a refusal. It comes from whatever a url points to, which may be a page that who reads the status must not see.
 */
const REASON_MAX_CHARS = 100;
/** An idle connection is closed before the usual 60 s of servers and proxies, so that none dies under a request. */
const KEEP_ALIVE_MS = 30_000;
/** A server's wish to be left alone is granted up to this long; more is a mistake in its clock or its units. */
const RETRY_AFTER_MAX_MS = 15 * 60_000;

/** These say that the way to the receiver is wrong, not the alert: an alert is not given up for them. */
const SET_UP_FAULTS: ReadonlySet<number> = new Set([401, 403, 404, 405, 407]);
const TRY_AGAIN: ReadonlySet<number> = new Set([408, 425, 429]);

/** How to reach a server. */
export interface EndpointOptions {
  /** May hold user name and password, for basic authentication. */
  readonly url: URL;
  /** IP address to connect to: the name stays in certificate and Host; an address in the url is replaced. */
  readonly address?: string;
  /** PEM certificates trusted besides the usual ones; may be empty. */
  readonly caBundle: Buffer;
  /** How the server knows us, besides user name and password in the url. */
  readonly access: ReadAccess;
  readonly blocked: BlockedAddresses;
  readonly connections: number;
  readonly tryTimeoutMs: number;
}

/** One server that is talked to by HTTP. Redirects are not followed: the alert would be lost or end up elsewhere. */
export interface Endpoint {
  /** For logs and errors. */
  readonly name: string;
  readonly post: (path: string, message: Message, signal: AbortSignal) => Promise<Answer>;
  /** The body of a 200; undefined for anything else. */
  readonly get: (path: string, signal: AbortSignal) => Promise<string | undefined>;
  readonly close: () => Promise<void>;
}

/** What is posted. */
export interface Message {
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Opens an endpoint; connects at the first request. Throws Error if the caBundle holds no certificate. */
export function openEndpoint(options: EndpointOptions): Endpoint {
  const { url, address } = options;
  const name = address === undefined ? shownUrl(url) : `${shownUrl(url)} at ${address}`;
  const connection = new Connection(options);
  return {
    name,
    async post(path, { body, headers }, signal) {
      try {
        const { response, text } = await connection.exchange(
          {
            method: 'POST',
            path,
            body,
            headers: { 'content-type': 'application/json', ...headers },
          },
          signal,
        );
        return answerOf(name, response, text);
      } catch (error) {
        if (signal.aborted) throw cancelled();
        return { kind: 'retry', reason: `${name}: ${messageOf(error)}` };
      }
    },
    async get(path, signal) {
      try {
        const { response, text } = await connection.exchange(
          { method: 'GET', path, headers: {} },
          signal,
        );
        return response.statusCode === 200 ? text : undefined;
      } catch {
        return undefined;
      }
    },
    close: () => connection.close(),
  };
}

interface Exchange {
  readonly response: Dispatcher.ResponseData;
  readonly text: string;
}

type Request = Pick<Dispatcher.RequestOptions, 'path' | 'body'> & {
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
};

/** Requests and whole answers, each within the time of a try. */
class Connection {
  readonly #options: EndpointOptions;
  readonly #authorization: Readonly<Record<string, string>>;
  #pool: Pool;
  #client: Access['client'];

  constructor(options: EndpointOptions) {
    this.#options = options;
    this.#authorization = basicAuthorization(options.url);
    this.#pool = openPool(options, undefined);
  }

  async exchange(request: Request, signal: AbortSignal): Promise<Exchange> {
    const { url, address = hostOf(url), blocked } = this.#options;
    checkAddress(address, blocked);
    const access = await this.#options.access();
    this.#use(access.client);
    const limits = limited(this.#options.tryTimeoutMs, signal);
    const signed =
      typeof request.body === 'string'
        ? signatureHeaders(access.signingKey, { body: request.body, nowMs: Date.now() })
        : {};
    try {
      const response = await this.#pool.request({
        ...request,
        headers: { ...request.headers, ...this.#authorization, ...access.headers, ...signed },
        signal: limits.signal,
      });
      return { response, text: await textOf(response.body, ANSWER_MAX_BYTES[request.method]) };
    } finally {
      limits.done();
    }
  }

  close(): Promise<void> {
    return this.#pool.destroy();
  }

  /** A new certificate is shown by new connections; requests under way end on the old ones. */
  #use(client: Access['client']): void {
    if (client?.cert === this.#client?.cert && client?.key === this.#client?.key) return;
    const before = this.#pool;
    this.#pool = openPool(this.#options, client);
    this.#client = client;
    void before.close().catch(() => undefined);
  }
}

function openPool(options: EndpointOptions, client: Access['client']): Pool {
  const { url, address, connections, tryTimeoutMs } = options;
  return new Pool(originOf(url, address), {
    connections,
    keepAliveTimeout: KEEP_ALIVE_MS,
    headersTimeout: tryTimeoutMs,
    bodyTimeout: tryTimeoutMs,
    connect: {
      timeout: tryTimeoutMs,
      ...tlsOptions(options.caBundle, client),
      lookup: address === undefined ? lookupAllowed(options.blocked) : always(address),
    },
  });
}

/** Whom to trust, and who to be. Throws Error if the caBundle holds no certificate. */
export function tlsOptions(
  caBundle: Buffer,
  client: Access['client'],
): { readonly ca?: string[]; readonly cert?: string; readonly key?: string } {
  return {
    ...(caBundle.length > 0 && { ca: [...rootCertificates, pemOf(caBundle)] }),
    ...client,
  };
}

/** What an answer means. */
export function answerOf(
  name: string,
  { statusCode, headers }: Pick<Dispatcher.ResponseData, 'statusCode' | 'headers'>,
  text: string,
): Answer {
  if (statusCode >= 200 && statusCode < 300) return { kind: 'taken', by: name };
  const reason = `HTTP ${statusCode}: ${readable(text)}`;
  if (statusCode >= 300 && statusCode < 400) {
    return {
      kind: 'retry',
      reason: `HTTP ${statusCode}: redirects are not followed, give the final url`,
    };
  }
  if (statusCode >= 500 || TRY_AGAIN.has(statusCode)) {
    const retryAfterMs = retryAfter(headers['retry-after']);
    return { kind: 'retry', reason, ...(retryAfterMs !== undefined && { retryAfterMs }) };
  }
  return { kind: SET_UP_FAULTS.has(statusCode) ? 'retry' : 'refused', reason };
}

/** Seconds, or a date. */
function retryAfter(value: string | string[] | undefined): number | undefined {
  const text = Array.isArray(value) ? value[0] : value;
  if (!text) return undefined;
  const ms = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), RETRY_AFTER_MAX_MS);
}

/** The beginning of it, on one line, without what is not seen or turns the direction of text. */
function readable(text: string): string {
  const line = text.replace(/[\p{C}\p{Z}]+/gu, ' ').trim();
  return Array.from(line.slice(0, 2 * REASON_MAX_CHARS))
    .slice(0, REASON_MAX_CHARS)
    .join('');
}

/** Reads up to the limit, and hangs up on an answer that is longer. */
async function textOf(body: Dispatcher.ResponseData['body'], maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > maxBytes) break;
  }
  return Buffer.concat(chunks).toString('utf8', 0, maxBytes);
}

/** Aborts after a while, or with the signal. */
function limited(
  timeoutMs: number,
  signal: AbortSignal,
): { signal: AbortSignal; done: () => void } {
  const controller = new AbortController();
  const onAbort = (): void => controller.abort(cancelled());
  const timer = setTimeout(
    () => controller.abort(new Error(`no answer within ${timeoutMs} ms`)),
    timeoutMs,
  );
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  return {
    signal: controller.signal,
    done() {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    },
  };
}

/** A lookup is made for names alone. */
function originOf(url: URL, address: string | undefined): string {
  if (address === undefined || !isIP(hostOf(url))) return url.origin;
  const { protocol, port } = url;
  return `${protocol}//${isIP(address) === 6 ? `[${address}]` : address}${port && `:${port}`}`;
}

/** The name, or the address without its brackets. */
export function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, '');
}

function always(address: string): LookupFunction {
  const family = isIP(address);
  return (_host, { all }, callback) => {
    if (all) callback(null, [{ address, family }]);
    else callback(null, address, family);
  };
}

function basicAuthorization({ username, password }: URL): Readonly<Record<string, string>> {
  if (!username && !password) return {};
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { authorization: `Basic ${Buffer.from(pair).toString('base64')}` };
}

/** Node ignores what is no certificate, and the connection would fail much later for no visible reason. */
function pemOf(caBundle: Buffer): string {
  try {
    new X509Certificate(caBundle);
  } catch (error) {
    throw new Error('caBundle: expected certificates in PEM', { cause: error });
  }
  return caBundle.toString();
}

/** Errors of sockets have a code, those of several addresses only inner errors. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(messageOf).join('; ');
  return error instanceof Error ? error.message : String(error);
}
