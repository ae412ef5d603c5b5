import { once } from 'node:events';
import { createServer } from 'node:http';
import { isIPv6, type AddressInfo } from 'node:net';
import Router from '@koa/router';
import Koa, { type Context } from 'koa';
import type { Logger } from 'pino';
import { openAccess } from '@auditing/access/open-access';
import type { Runtime } from '@auditing/service/service';
import { apiAccess, isLoopback, isOpen, type ApiAccess } from './api-access';
import { ApiError, asApiError } from './api-error';
import type { ApiHandler, ApiRoutes } from './api-handler';
import type { GatewayConfig } from './config';
import { OWN_API } from './own-routes';

/** How long answers under way may take when the app stops; tails end at once. */
const STOP_GRACE_MS = 3_000;
/** Seconds. A service that is away is back soon or much later; who asks by hand tries again. */
const RETRY_AFTER_SECONDS = 5;

/** Archived text is hostile: no browser may take an answer for a page, or run anything in it. */
const HEADERS = {
  'X-Content-Type-Options': 'nosniff',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Cache-Control': 'no-store',
} as const;

/**
 * Serves the query API; resolves with its URL when it listens.
 *
 * @throws Error if it is to be reached from elsewhere without a token.
 */
export async function serveQueryApi(
  { api: { host, port }, access: accessConfig }: Pick<GatewayConfig, 'api' | 'access'>,
  routes: ApiRoutes,
  runtime: Runtime,
): Promise<string> {
  if (isOpen(accessConfig) && !isLoopback(host)) {
    throw new Error(
      `AUDITING_API_HOST: without AUDITING_API_TOKEN only a loopback address may be listened on, got ${host}: ` +
        'set AUDITING_API_TOKEN or AUDITING_ACCESS=kubernetes, or listen on 127.0.0.1',
    );
  }
  const { log, stopping, closeLater } = runtime;
  const access = apiAccess(await openAccess(accessConfig, false, runtime), accessConfig);
  const app = queryApp(routes, { log, stopping, access });
  const server = createServer((request, response) => void app(request, response));
  server.listen({ host, port });
  await once(server, 'listening');
  closeLater('query API', async () => {
    const closed = once(server, 'close');
    server.close();
    server.closeIdleConnections();
    const timer = setTimeout(() => server.closeAllConnections(), STOP_GRACE_MS);
    await closed;
    clearTimeout(timer);
  });
  const { port: boundPort } = server.address() as AddressInfo;
  return `http://${isIPv6(host) ? `[${host}]` : host}:${boundPort}`;
}

/** What answering needs beside the routes. */
interface QueryAppOptions {
  readonly log: Logger;
  readonly stopping: AbortSignal;
  readonly access: ApiAccess;
}

function queryApp(
  routes: ApiRoutes,
  { log, stopping, access }: QueryAppOptions,
): ReturnType<Koa['callback']> {
  const app = new Koa();
  // A client that goes away in the middle of an answer is no news.
  app.on('error', (error: unknown) => log.debug({ err: error }, 'an answer broke off'));
  app.use(async (ctx, next) => {
    ctx.set(HEADERS);
    try {
      await access('all events', ctx.req);
      await next();
      if (ctx.status === 404 && ctx.body === undefined) throw noSuchPath(ctx);
    } catch (error) {
      refuse(ctx, error, log);
    }
  });
  const router = new Router();
  for (const [pattern, handler] of Object.entries(withIndex(routes))) {
    router.get(pattern, (ctx) => answer(ctx, handler, stopping));
  }
  app.use(router.routes());
  return app.callback();
}

async function answer(ctx: Context, handler: ApiHandler, stopping: AbortSignal): Promise<void> {
  const gone = new AbortController();
  ctx.res.once('close', () => gone.abort());
  const { body, type } = await handler({
    parameters: new URLSearchParams(ctx.querystring),
    path: ctx.params as Record<string, string>,
    signal: AbortSignal.any([gone.signal, stopping]),
  });
  ctx.body = body;
  ctx.type = type ?? 'application/json';
}

/** What there is, for whoever looks at the port without a question. */
function withIndex(routes: ApiRoutes): ApiRoutes {
  const index: ApiHandler = () =>
    Promise.resolve({ body: { service: 'kube-auditing gateway', paths: Object.keys(routes) } });
  return { '/': index, [OWN_API]: index, ...routes };
}

function noSuchPath({ method, path }: Context): ApiError {
  if (method !== 'GET' && method !== 'HEAD') {
    return new ApiError(405, `expected GET, got ${method}: this API only answers questions`);
  }
  return new ApiError(404, `no such path: ${path}; / lists those there are`);
}

function refuse(ctx: Context, error: unknown, log: Logger): void {
  // Nobody is left to read an answer.
  if (ctx.res.destroyed) return;
  const known = asApiError(error);
  if (!known) log.error({ err: error, path: ctx.path }, 'a question could not be answered');
  const { status, message, details } =
    known ?? new ApiError(500, 'internal error; the log of the gateway has the cause');
  ctx.status = status;
  if (status === 503) ctx.set('Retry-After', String(RETRY_AFTER_SECONDS));
  if (status === 405) ctx.set('Allow', 'GET, HEAD');
  if (status === 401) ctx.set('WWW-Authenticate', 'Bearer');
  ctx.body = { error: message, ...details };
}
