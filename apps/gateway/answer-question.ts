import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import type { Context } from 'koa';
import { restrictAlert } from '@auditing/access/restrict-alert';
import { restrictArchive } from '@auditing/access/restrict-archive';
import type { Grant } from '@auditing/access/access';
import { bearerToken } from '@auditing/service/grpc-admission';
import type { ApiAccess } from './api-access';
import { ApiError } from './api-error';
import type { ApiAnswer, ApiRequest, ApiRoute, QueryServices } from './api-route';
import { endWhenStalled, STALL_MS } from './end-when-stalled';
import { refuseUnknown } from './own-query';
import type { QueryPlaces } from './query-limits';

/** What answering needs. */
export interface Answering {
  readonly services: QueryServices;
  readonly access: ApiAccess;
  /** Places for questions with a time limit, and for those without. */
  readonly queries: QueryPlaces;
  readonly streams: QueryPlaces;
  /** Milliseconds until the beginning of an answer must be there. */
  readonly queryTimeoutMs: number;
  readonly stopping: AbortSignal;
}

/** Answers one question: may it be asked, is there a place, what is the answer. Throws ApiError or RpcError. */
export async function answerQuestion(
  ctx: Context,
  route: ApiRoute,
  answering: Answering,
): Promise<void> {
  const grant = await answering.access(route, ctx.req);
  const parameters = new URLSearchParams(ctx.querystring);
  if (route.isLenient !== true && route.choosesEvents !== true) {
    const known = route.parameters.filter((one) => one.in === undefined);
    refuseUnknown(
      parameters,
      known.map(({ name }) => name),
    );
  }
  const places = route.isLong === true ? answering.streams : answering.queries;
  const give = places.take(`${ctx.ip} ${bearerToken(ctx.headers.authorization) ?? ''}`);
  ctx.res.once('close', give);
  const request = {
    parameters,
    path: ctx.params as Record<string, string>,
    lastEventId: headerText(ctx.headers['last-event-id']),
    services: visible(answering.services, grant),
  };
  const { body, type, fileName } = await answerInTime(ctx.res, answering, { route, request });
  if (body instanceof Readable) endWhenStalled(ctx.res, STALL_MS);
  if (fileName !== undefined) ctx.set('Content-Disposition', `attachment; filename="${fileName}"`);
  ctx.body = body;
  ctx.type = type ?? route.type ?? 'application/json';
}

/**
 * The services as a caller may see them: archive and alerts within its scope. All that handlers are given, so none can answer
 * past it. Routes of the rule service need a right of their own.
 */
function visible(services: QueryServices, { scope }: Grant): QueryServices {
  if (scope === undefined) return services;
  return {
    ...services,
    archive: restrictArchive(services.archive, scope),
    alert: restrictAlert(services.alert, scope),
  };
}

interface Question {
  readonly route: ApiRoute;
  readonly request: Omit<ApiRequest, 'signal'>;
}

/** The answer, or its beginning; rejects when the time limit of the route is over before. */
async function answerInTime(
  response: ServerResponse,
  { queryTimeoutMs, stopping }: Answering,
  { route, request }: Question,
): Promise<ApiAnswer> {
  const over = new AbortController();
  response.once('close', () => over.abort());
  const answer = route.answer({ ...request, signal: AbortSignal.any([over.signal, stopping]) });
  if (route.isLong === true) return answer;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(tooLate(queryTimeoutMs));
      over.abort();
    }, queryTimeoutMs);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}

function tooLate(ms: number): ApiError {
  return new ApiError(
    504,
    `the question took longer than ${ms} ms (AUDITING_QUERY_TIMEOUT): ask for a shorter time, or give more conditions`,
  );
}

function headerText(header: string | readonly string[] | undefined): string {
  return typeof header === 'string' ? header : '';
}
