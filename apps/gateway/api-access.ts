import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { ApiError } from './api-error';

/** Throws ApiError unless the sender of a request may ask. */
export type AccessCheck = (request: IncomingMessage) => void;

const BEARER = /^bearer +(.+)$/i;
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/;

/** True for a name or an address that only this machine can reach. */
export function isLoopback(host: string): boolean {
  return LOOPBACK.test(host);
}

/**
 * With a token: it must come as Bearer. Without one only this machine is served, and only under a name of its own:
 * a page in somebody's browser that gave its name the address 127.0.0.1 must not read the archive.
 */
export function accessCheck(token: string | undefined): AccessCheck {
  if (token === undefined) return checkHost;
  const expected = digest(token);
  return ({ headers }) => {
    const [, given] = BEARER.exec(headers.authorization ?? '') ?? [];
    // Hashes have one length, so the comparison takes the same time whatever was sent.
    if (given !== undefined && timingSafeEqual(digest(given), expected)) return;
    const got = given === undefined ? 'got none' : 'got another one';
    throw new ApiError(401, `expected the token of AUDITING_API_TOKEN as Bearer, ${got}`);
  };
}

function checkHost({ headers }: IncomingMessage): void {
  const host = (headers.host ?? '').replace(/:\d+$/, '');
  if (isLoopback(host)) return;
  throw new ApiError(
    403,
    `without AUDITING_API_TOKEN only requests to localhost are answered, not to ${JSON.stringify(host)}`,
  );
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
