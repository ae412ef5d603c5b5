import type { ServerStreamingMethod, BidiMethod, UnaryMethod } from './rpc-method';

/**
 * The promise-shaped interface of one gRPC service, derived from the definition that ts-proto generates.
 *
 * An app implements it; `grpcClient` gives the same interface over a socket. So whoever calls a service does
 * not know whether it runs in this process or in another.
 *
 * Every call takes an AbortSignal; aborting ends it with CANCELLED.
 */
export type Api<Service> = {
  readonly [Method in keyof Service]: Service[Method] extends UnaryMethod<infer Req, infer Res>
    ? (request: Req, signal: AbortSignal) => Promise<Res>
    : Service[Method] extends ServerStreamingMethod<infer Req, infer Res>
      ? (request: Req, signal: AbortSignal) => AsyncIterable<Res>
      : Service[Method] extends BidiMethod<infer Req, infer Res>
        ? (requests: AsyncIterable<Req>, signal: AbortSignal) => AsyncIterable<Res>
        : never;
};
