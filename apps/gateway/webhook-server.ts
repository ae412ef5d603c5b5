import { createServer as createHttpServer, type RequestListener, type Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { isIPv6, type AddressInfo } from 'node:net';
import type { Server as TlsServer } from 'node:tls';
import type { Tls } from './tls';
import { EVENT_PATH, webhookApp, type WebhookDeps } from './webhook-app';

/** How the webhook is served. */
export interface WebhookServerOptions {
  /** Undefined: every address of the machine. */
  readonly host: string | undefined;
  /** 0 picks a free one. */
  readonly port: number;
  /** Undefined: plain HTTP. */
  readonly tls: Tls | undefined;
  readonly maxConnections: number;
  /** Longest time for a whole request. Whoever reads a body sets a shorter one of its own. */
  readonly requestTimeoutMs: number;
}

/** A server that listens. */
export interface WebhookServer {
  /** URL to post to. */
  readonly url: string;
  /** Stops listening, waits at most `graceMs` for requests under way, closes every connection. */
  close(graceMs: number): Promise<void>;
}

/** Headers come in one packet or two. */
const HEADERS_TIMEOUT_MS = 10_000;
const HANDSHAKE_TIMEOUT_MS = 10_000;
/** Longer than the 90 s after which Go's clients close an idle connection, so that none writes to a closing one. */
const KEEP_ALIVE_MS = 120_000;
/** A bearer token of Kubernetes is 1 to 2 KB. */
const MAX_HEADER_BYTES = 16 * 1024;
/** How late a passed time-out may be noticed. */
const TIMEOUT_CHECK_MS = 1_000;

/** Serves the webhook; resolves when it listens. */
export async function webhookServer(
  options: WebhookServerOptions,
  deps: WebhookDeps,
): Promise<WebhookServer> {
  const { tls, host, port } = options;
  const { server, stop } = tls ? tlsServer(tls, options, deps) : plainServer(options, deps);
  server.maxConnections = options.maxConnections;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, ...(host !== undefined && { host }) }, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const { port: boundPort } = server.address() as AddressInfo;
  return {
    url: `${tls ? 'https' : 'http'}://${urlHost(host)}:${boundPort}${EVENT_PATH}`,
    async close(graceMs) {
      stop();
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeIdleConnections();
      const timer = setTimeout(() => server.closeAllConnections(), graceMs);
      await closed;
      clearTimeout(timer);
    },
  };
}

interface Made {
  readonly server: Server;
  readonly stop: () => void;
}

function plainServer(options: WebhookServerOptions, deps: WebhookDeps): Made {
  const server = createHttpServer(limits(options), handlerOf(deps));
  return { server, stop: () => undefined };
}

function tlsServer(tls: Tls, options: WebhookServerOptions, deps: WebhookDeps): Made {
  const server = createHttpsServer(
    {
      ...limits(options),
      ...tls.context,
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      // HTTP/2 costs Node three times as much; API servers open parallel connections without it.
      ALPNProtocols: ['http/1.1'],
      // Who shows no certificate or a wrong one is answered 401 or 403, which says more than a reset.
      requestCert: tls.context.ca !== undefined,
      rejectUnauthorized: false,
    },
    handlerOf(deps),
  );
  server.on('tlsClientError', (error: NodeJS.ErrnoException) => {
    deps.metrics.tlsErrors.inc({ code: error.code ?? 'unknown' });
  });
  return { server, stop: tls.watch((context) => (server as TlsServer).setSecureContext(context)) };
}

/** Koa answers every error itself; the promise it gives says nothing more. */
function handlerOf(deps: WebhookDeps): RequestListener {
  const handle = webhookApp(deps).callback();
  return (req, res) => void handle(req, res);
}

function limits({
  requestTimeoutMs,
}: WebhookServerOptions): Parameters<typeof createHttpServer>[0] {
  return {
    maxHeaderSize: MAX_HEADER_BYTES,
    connectionsCheckingInterval: TIMEOUT_CHECK_MS,
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: Math.max(requestTimeoutMs, HEADERS_TIMEOUT_MS),
    keepAliveTimeout: KEEP_ALIVE_MS,
  };
}

/** A host that can be connected to, for the ready line. */
function urlHost(host: string | undefined): string {
  if (host === undefined || host === '::' || host === '0.0.0.0') return '127.0.0.1';
  return isIPv6(host) ? `[${host}]` : host;
}
