import { status } from '@grpc/grpc-js';
import { RpcError } from '@auditing/service/rpc-error';

/** What was wrong with a request: an answer that says what to do. */
export class ApiError extends Error {
  override readonly name = 'ApiError';

  constructor(
    /** HTTP status. */
    readonly status: number,
    message: string,
    /** Fields of the answer beside `error`. */
    readonly details: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }
}

/** A parameter that cannot be read. */
export function badParameter(
  parameter: string,
  value: string,
  wanted: { readonly expected: string; readonly example: string },
): ApiError {
  return new ApiError(400, `${parameter}: expected ${wanted.expected}, got ${quoted(value)}`, {
    parameter,
    ...wanted,
  });
}

/** A value as part of an error, in a length that can be read. */
export function quoted(value: string): string {
  const MAX = 100;
  return JSON.stringify(value.length > MAX ? `${value.slice(0, MAX)}…` : value);
}

/** gRPC codes whose text is meant for whoever asked. */
const HTTP_STATUS: ReadonlyMap<status, number> = new Map([
  [status.INVALID_ARGUMENT, 400],
  [status.OUT_OF_RANGE, 400],
  [status.FAILED_PRECONDITION, 400],
  [status.NOT_FOUND, 404],
  [status.RESOURCE_EXHAUSTED, 503],
  [status.UNAVAILABLE, 503],
  [status.UNIMPLEMENTED, 501],
  [status.DEADLINE_EXCEEDED, 504],
]);

/** An error of a service as an answer; undefined for one that is not meant to be seen. */
export function asApiError(error: unknown): ApiError | undefined {
  if (error instanceof ApiError) return error;
  if (!(error instanceof RpcError)) return undefined;
  const code = HTTP_STATUS.get(error.code);
  return code === undefined ? undefined : new ApiError(code, error.message);
}
