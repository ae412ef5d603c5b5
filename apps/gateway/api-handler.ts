import type { Readable } from 'node:stream';

/** A question that came over HTTP. */
export interface ApiRequest {
  readonly parameters: URLSearchParams;
  /** Values of the `:names` in the path. */
  readonly path: Readonly<Record<string, string>>;
  /** Aborts when the client goes away or the app stops. */
  readonly signal: AbortSignal;
}

/** An answer with status 200. */
export interface ApiAnswer {
  readonly body: object | Readable | Buffer;
  /** Default `application/json`. */
  readonly type?: string;
}

/** Answers one kind of question. Throws ApiError or RpcError. */
export type ApiHandler = (request: ApiRequest) => Promise<ApiAnswer>;

/** Handlers by the pattern of their path. All are GET. */
export type ApiRoutes = Readonly<Record<string, ApiHandler>>;
