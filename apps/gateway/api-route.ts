import type { Readable } from 'node:stream';
import type { Need } from '@auditing/access/needs';
import type { AlertServiceService } from '@auditing/proto/alert';
import type { ArchiveServiceService } from '@auditing/proto/archive';
import type { RuleServiceService } from '@auditing/proto/rule';
import type { Api } from '@auditing/service/rpc';
import type { ApiParameter } from './api-parameters';

/** The services that questions are about, as whoever asks may see them. */
export interface QueryServices {
  readonly archive: Api<typeof ArchiveServiceService>;
  readonly rule: Pick<Api<typeof RuleServiceService>, 'listRules'>;
  readonly alert: Api<typeof AlertServiceService>;
}

/** A question that came over HTTP. */
export interface ApiRequest {
  readonly parameters: URLSearchParams;
  /** Values of the `:names` in the path. */
  readonly path: Readonly<Record<string, string>>;
  /** The header of a client that goes on with server-sent events; empty without it. */
  readonly lastEventId: string;
  readonly services: QueryServices;
  /** Aborts when the client goes away, the app stops, or the time limit is over. */
  readonly signal: AbortSignal;
}

/** An answer with status 200. */
export interface ApiAnswer {
  readonly body: object | Readable | Buffer;
  /** Default: that of the route. */
  readonly type?: string;
  /** Given where a browser should save the answer instead of showing it. */
  readonly fileName?: string;
}

/** One kind of question, or of thing to do: how it is asked, and who answers it. */
export interface ApiRoute {
  /** Default GET, which changes nothing. */
  readonly method?: 'POST' | 'DELETE';
  /** Pattern of the path, such as `/apis/…/events/:key`. */
  readonly path: string;
  /** What whoever asks needs. */
  readonly need: Need;
  /** One sentence, for the OpenAPI document. */
  readonly summary: string;
  /** All it takes. */
  readonly parameters: readonly ApiParameter[];
  /** True if it is about events that the parameters of `event-query.ts` choose. */
  readonly choosesEvents?: boolean;
  /** True for parameters as KubeSphere reads them: those that are not known are passed over. */
  readonly isLenient?: boolean;
  /** Status for who shows no token in a cluster. Default 401. */
  readonly anonymousStatus?: 403;
  /** True for answers without an end or of any size: they have no time limit and places of their own. */
  readonly isLong?: boolean;
  /** Content type of its answers. Default `application/json`. */
  readonly type?: string;
  /** JSON schema of its answer, for the OpenAPI document; undefined for what is no JSON. */
  readonly answerSchema?: object;
  /** Throws ApiError or RpcError. */
  readonly answer: (request: ApiRequest) => Promise<ApiAnswer>;
}

/** A route as people name it: its path, after its method if that is not GET. */
export function routeName({ method, path }: Pick<ApiRoute, 'method' | 'path'>): string {
  return method === undefined ? path : `${method} ${path}`;
}

/** The content type of server-sent events. */
export const EVENT_STREAM = 'text/event-stream';
/** The content type of bytes that no browser shows. */
export const OCTETS = 'application/octet-stream';
