import { once } from 'node:events';
import { createServer } from 'node:http';
import { isIPv6, type AddressInfo } from 'node:net';
import Router from '@koa/router';
import Koa, { type Context } from 'koa';
import type { Logger } from 'pino';
import { openAccess } from '@auditing/access/open-access';
import type { Runtime } from '@auditing/service/service';
import { answerQuestion, type Answering } from './answer-question';
import { apiAccess, isLoopback, isOpen } from './api-access';
import { ApiError, asApiError } from './api-error';
import { routeName, type ApiRoute, type QueryServices } from './api-route';
import type { GatewayConfig } from './config';
import { KAPIS_ROUTES } from './kapis-routes';
import { openApiDocument, OPENAPI_PATH } from './openapi';
import { OWN_API } from './own-api';
import { OWN_ROUTES } from './own-routes';
import { queryPlaces } from './query-limits';

/** How long answers under way may take when the app stops; tails end at once. */
const STOP_GRACE_MS = 3_000;
/** Seconds. A service that is away is back soon or much later; who asks by hand tries again. */
const RETRY_AFTER_SECONDS = 5;
/** Seconds. The place of a question that is answered is free. */
const RETRY_BUSY_SECONDS = 1;
/** Each costs some tens of KiB, whether it asks anything or not. */
const MAX_CONNECTIONS = 1_000;

/** Archived text is hostile: no browser may take an answer for a page, or run anything in it. */
const HEADERS = {
  'X-Content-Type-Options': 'nosniff',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Cache-Control': 'no-store',
} as const;

/** What the query API asks, and its settings. */
export interface QueryApiOptions {
  readonly config: Pick<GatewayConfig, 'api' | 'access'>;
  readonly services: QueryServices;
  /** Questions about this gateway itself. */
  readonly ownRoutes: readonly ApiRoute[];
}

/**
 * Serves the query API; resolves with its URL when it listens.
 *
 * @throws Error if it is to be reached from elsewhere and nothing tells callers apart.
 */
export async function serveQueryApi(options: QueryApiOptions, runtime: Runtime): Promise<string> {
  const { api, access } = options.config;
  const { host, port } = api;
  if (isOpen(access) && !isLoopback(host)) {
    throw new Error(
      `AUDITING_API_HOST: without AUDITING_API_TOKEN only a loopback address may be listened on, got ${host}: ` +
        'set AUDITING_API_TOKEN or AUDITING_ACCESS=kubernetes, or listen on 127.0.0.1',
    );
  }
  const { log, stopping, closeLater } = runtime;
  const answering: Answering = {
    services: options.services,
    access: apiAccess(await openAccess(access, false, runtime), access),
    queries: queryPlaces(api.maxQueries, 'AUDITING_API_MAX_QUERIES'),
    streams: queryPlaces(api.maxStreams, 'AUDITING_API_MAX_STREAMS'),
    queryTimeoutMs: api.queryTimeoutMs,
    stopping,
  };
  const app = queryApp(apiRoutes(options.ownRoutes), answering, log);
  const server = createServer((request, response) => void app(request, response));
  server.maxConnections = MAX_CONNECTIONS;
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

/** Every route, with what there is for whoever looks at the port without a question. */
export function apiRoutes(ownRoutes: readonly ApiRoute[]): readonly ApiRoute[] {
  const questions = [...KAPIS_ROUTES, ...OWN_ROUTES, ...ownRoutes];
  const index = { service: 'kube-auditing gateway', paths: questions.map(routeName) };
  const document = openApiDocument(questions);
  const open = (path: string, summary: string, body: object): ApiRoute => ({
    path,
    need: 'open',
    summary,
    parameters: [],
    answer: () => Promise.resolve({ body }),
  });
  return [
    open('/', 'The paths there are.', index),
    open(OWN_API, 'The paths there are.', index),
    open(OPENAPI_PATH, 'This API as OpenAPI.', document),
    ...questions,
  ];
}

function queryApp(
  routes: readonly ApiRoute[],
  answering: Answering,
  log: Logger,
): ReturnType<Koa['callback']> {
  const app = new Koa();
  const router = routerOf(routes, answering);
  // A client that goes away in the middle of an answer is no news.
  app.on('error', (error: unknown) => log.debug({ err: error }, 'an answer broke off'));
  app.use(async (ctx, next) => {
    ctx.set(HEADERS);
    try {
      await next();
      if (ctx.status === 404 && ctx.body === undefined) throw noSuchRoute(ctx, router);
    } catch (error) {
      refuse(ctx, error, log);
    }
  });
  app.use(router.routes());
  return app.callback();
}

function routerOf(routes: readonly ApiRoute[], answering: Answering): Router {
  const router = new Router();
  for (const route of routes) {
    router.register(route.path, route.method ? [route.method] : ['GET', 'HEAD'], (ctx: Context) =>
      answerQuestion(ctx, route, answering),
    );
  }
  return router;
}

function noSuchRoute(ctx: Context, router: Router): ApiError {
  const { method, path } = ctx;
  const methods = new Set(router.match(path, method).path.flatMap((layer) => layer.methods));
  if (methods.size === 0)
    return new ApiError(404, `no such path: ${path}; / lists those there are`);
  const allowed = [...methods].sort();
  ctx.set('Allow', allowed.join(', '));
  return new ApiError(405, `expected ${allowed.join(' or ')}, got ${method}`);
}

function refuse(ctx: Context, error: unknown, log: Logger): void {
  // Nobody is left to read an answer.
  if (ctx.res.destroyed) return;
  const known = asApiError(error);
  if (!known) log.error({ err: error, path: ctx.path }, 'a question could not be answered');
  const { status, message, details } =
    known ?? new ApiError(500, 'internal error; the log of the gateway has the cause');
  ctx.status = status;
  if (status === 429) ctx.set('Retry-After', String(RETRY_BUSY_SECONDS));
  if (status === 503) ctx.set('Retry-After', String(RETRY_AFTER_SECONDS));
  if (status === 401) ctx.set('WWW-Authenticate', 'Bearer');
  ctx.body = { error: message, ...details };
}
