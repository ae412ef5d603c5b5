import Koa, { type Context } from 'koa';
import type { Tracing } from '@auditing/service/tracing';
import type { Logger } from 'pino';
import type { SenderCheck } from './authenticate';
import type { ReceiveMetrics } from './metrics';
import type { Receiver } from './receive';
import { Refusal, SenderGoneError } from './refusal';

/** What answers need. */
export interface WebhookDeps {
  readonly receiver: Pick<Receiver, 'receive'>;
  readonly check: SenderCheck;
  readonly metrics: ReceiveMetrics;
  readonly tracing: Tracing;
  readonly log: Logger;
  /** Rejects, with the reason, while bodies cannot be taken. */
  readonly ready: () => Promise<void>;
}

/** Where audit events are posted: the path that both senders are configured with. */
export const EVENT_PATH = '/audit/webhook/event';

/** The JSON text of an empty string: what the original answers. */
const OK_BODY = '""';

/** How a socket fails whose other end has gone. */
const GONE_CODES: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED']);

/** How long a refused body is read and thrown away, so that its sender sees the answer and not a reset. */
const LINGER_MS = 2_000;

/** What is answered on the webhook's port. Never a redirect: it is followed as a GET, and the events are lost. */
export function webhookApp(deps: WebhookDeps): Koa {
  const app = new Koa();
  app.on('error', (error: NodeJS.ErrnoException) => {
    // A sender that went away is counted; that its socket then cannot be written to is no news.
    const level = GONE_CODES.has(error.code ?? '') ? 'debug' : 'error';
    deps.log[level]({ err: error }, 'an answer failed');
  });
  app.use(async (ctx) => {
    try {
      await route(ctx, deps);
      ctx.type = 'application/json';
      ctx.body = OK_BODY;
    } catch (error) {
      refuse(ctx, error, deps);
    }
    if (!ctx.req.complete) letLinger(ctx);
  });
  return app;
}

/** Resolves if the answer is 200. */
async function route(
  ctx: Context,
  { receiver, check, metrics, tracing, ready }: WebhookDeps,
): Promise<void> {
  // The same path with a slash at the end is the same.
  switch (ctx.path.replace(/\/$/, '')) {
    case EVENT_PATH: {
      allow(ctx, 'POST');
      const code = { code: '200' };
      const span = tracing.begin(`POST ${EVENT_PATH}`, ctx.get('traceparent'));
      try {
        check(ctx.req);
        await receiver.receive(ctx.req, span.traceParent);
      } catch (error) {
        code.code = codeOf(error);
        throw error;
      } finally {
        metrics.bodies.inc(code);
        span.end({ attributes: { 'http.response.status_code': code.code } });
      }
      return;
    }
    case '/readiness':
      allow(ctx, 'GET', 'HEAD');
      return ready().catch((error: unknown) => {
        throw new Refusal(503, error instanceof Error ? error.message : String(error));
      });
    case '/liveness':
      allow(ctx, 'GET', 'HEAD');
      return;
    default:
      throw new Refusal(404, `nothing is here; post audit events to ${EVENT_PATH}`);
  }
}

function allow(ctx: Context, ...methods: readonly string[]): void {
  if (methods.includes(ctx.method)) return;
  const allowed = methods.join(', ');
  throw new Refusal(405, `expected ${allowed}, got ${ctx.method}`, { headers: { Allow: allowed } });
}

function codeOf(error: unknown): string {
  if (error instanceof SenderGoneError) return 'gone';
  return error instanceof Refusal ? String(error.status) : '500';
}

function refuse(ctx: Context, error: unknown, { log }: WebhookDeps): void {
  if (error instanceof SenderGoneError) {
    ctx.respond = false;
    ctx.req.destroy();
    return;
  }
  ctx.type = 'application/json';
  if (!(error instanceof Refusal)) {
    log.error({ err: error }, 'a body was answered 500');
    ctx.status = 500;
    ctx.body = JSON.stringify({ error: 'a fault of the gateway; see its log' });
    return;
  }
  const { status, message, details } = error;
  if (status === 503) log.warn({ err: error }, 'a body was answered 503');
  ctx.status = status;
  ctx.set({ ...details.headers });
  if (details.retryAfterS !== undefined) ctx.set('Retry-After', String(details.retryAfterS));
  // The rest of a body that came too slowly is not waited for.
  if (status === 408) ctx.set('Connection', 'close');
  ctx.body = JSON.stringify({
    error: message,
    ...(details.at !== undefined && { at: details.at }),
  });
}

/** Throws the rest of a body away that was answered before it was whole; who goes on sending is cut off. */
function letLinger({ req, res }: Context): void {
  res.once('finish', () => {
    req.resume();
    const { socket } = req;
    const timer = setTimeout(() => socket.destroy(), LINGER_MS);
    // The end of the request if it comes whole after all; the request itself may never be told that it is closed.
    const done = (): void => {
      clearTimeout(timer);
      req.off('end', done);
      socket.off('close', done);
    };
    req.once('end', done);
    socket.once('close', done);
  });
}
