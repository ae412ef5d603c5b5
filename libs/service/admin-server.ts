import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';

/** A readiness question that takes longer is answered with no: the kubelet asks again, and gives up at about this. */
const READY_TIMEOUT_MS = 2_000;
/** Nobody sends this port a body, so a request that takes longer is stuck. */
const REQUEST_TIMEOUT_MS = 10_000;

/** What the admin port serves. */
export interface AdminOptions {
  /** Address to listen on. */
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  readonly metrics: Registry;
  /** Rejects, with the reason, while the app is not ready. */
  readonly ready: () => Promise<void>;
}

/** The admin port, listening. */
export interface AdminServer {
  /** `http://host:port`. */
  readonly url: string;
  readonly close: () => Promise<void>;
}

/**
 * Serves `/livez` (asks nothing: the process runs), `/readyz` (asks what the app needs to do its work) and
 * `/metrics` (Prometheus text).
 */
export async function adminServer(options: AdminOptions): Promise<AdminServer> {
  const server = createServer((request, response) => {
    void answer(options, request.url ?? '/', response);
  });
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  server.listen(options.port, options.host);
  await once(server, 'listening');
  const { address, family, port } = server.address() as AddressInfo;
  const host = family === 'IPv6' ? `[${address}]` : address;
  return { url: `http://${host}:${port}`, close: () => closeServer(server) };
}

async function answer(options: AdminOptions, url: string, response: ServerResponse): Promise<void> {
  switch (url.split('?')[0]) {
    case '/livez':
      reply(response, 200, 'ok');
      return;
    case '/readyz':
      await within(READY_TIMEOUT_MS, options.ready()).then(
        () => reply(response, 200, 'ok'),
        (error: unknown) =>
          reply(response, 503, error instanceof Error ? error.message : 'not ready'),
      );
      return;
    case '/metrics':
      response.setHeader('Content-Type', options.metrics.contentType);
      await options.metrics.metrics().then(
        (body) => response.end(body),
        () => reply(response, 500, 'a metric could not be collected'),
      );
      return;
    default:
      reply(response, 404, 'this port serves /livez, /readyz and /metrics');
  }
}

function reply(response: ServerResponse, code: number, body: string): void {
  response.writeHead(code, { 'Content-Type': 'text/plain; charset=utf-8' }).end(`${body}\n`);
}

async function within(limitMs: number, question: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${limitMs} ms`)), limitMs);
  });
  try {
    await Promise.race([question, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}

async function closeServer(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  // Scrapers keep their connections open; waiting for them would hold the stop.
  server.closeAllConnections();
  await closed;
}
