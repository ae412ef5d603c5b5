import type { IncomingMessage } from 'node:http';
import type { Access, Grant } from '@auditing/access/access';
import type { AccessConfig } from '@auditing/access/access-settings';
import { bearerToken } from '@auditing/service/grpc-admission';
import { RpcError } from '@auditing/service/rpc-error';
import { status } from '@grpc/grpc-js';
import { ApiError } from './api-error';
import type { ApiRoute } from './api-route';

/** Says what the sender of a request may see; rejects with ApiError unless it may ask. */
export type ApiAccess = (
  route: Pick<ApiRoute, 'method' | 'need' | 'anonymousStatus'>,
  request: IncomingMessage,
) => Promise<Grant>;

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/;

/** True for a name or an address that only this machine can reach. */
export function isLoopback(host: string): boolean {
  return LOOPBACK.test(host);
}

/** True if nothing tells callers apart: then only this machine is answered. */
export function isOpen({ mode, token }: AccessConfig): boolean {
  return mode === 'token' && token === undefined;
}

/** The check of callers for HTTP. */
export function apiAccess(access: Access, config: AccessConfig): ApiAccess {
  return async ({ method, need, anonymousStatus }, { headers }) => {
    if (isOpen(config)) {
      checkHost(headers.host);
      if (method !== undefined) checkOrigin(headers);
    }
    const token = bearerToken(headers.authorization);
    try {
      return await access(need, { token, names: [] });
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      const isAnonymous = token === undefined && config.mode === 'kubernetes';
      const unknown = isAnonymous ? (anonymousStatus ?? 401) : 401;
      throw refusal(error, unknown) ?? error;
    }
  };
}

/**
 * Without a token this machine alone is served, and only under a name of its own: a page in somebody's browser that
 * gave its name the address 127.0.0.1 must not read the archive.
 */
function checkHost(header = ''): void {
  const host = header.replace(/:\d+$/, '');
  if (isLoopback(host)) return;
  throw new ApiError(
    403,
    `without AUDITING_API_TOKEN only requests to localhost are answered, not to ${JSON.stringify(host)}`,
  );
}

/** Nor may such a page do anything here: a browser sends what a page asks for even if it keeps the answer from it. */
function checkOrigin({ origin, host }: IncomingMessage['headers']): void {
  if (origin === undefined || origin === `http://${host}`) return;
  throw new ApiError(
    403,
    `without AUDITING_API_TOKEN only pages from here may change something, not those of ${JSON.stringify(origin)}`,
  );
}

/** Only here: an UNAUTHENTICATED of a service that the gateway calls is no fault of whoever asks. */
function refusal({ code, message }: RpcError, unknown: number): ApiError | undefined {
  if (code === status.UNAUTHENTICATED) return new ApiError(unknown, message);
  if (code === status.PERMISSION_DENIED) return new ApiError(403, message);
  return undefined;
}
