import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import { Refusal } from './refusal';

/** What a sender must show; each that is set must be met. */
export interface SenderRules {
  /** True: a client certificate that the server's CAs have signed. */
  readonly clientCertificate: boolean;
  /** Undefined: none. */
  readonly token: string | undefined;
}

/** Throws unless the sender of a request may send. */
export type SenderCheck = (req: IncomingMessage) => void;

const BEARER = /^bearer +(.+)$/i;

/** Checks senders: 401 without credentials or with a wrong token, 403 with a certificate that is not trusted. */
export function senderCheck({ clientCertificate, token }: SenderRules): SenderCheck {
  const expected = token === undefined ? undefined : digest(token);
  return (req) => {
    if (clientCertificate) checkCertificate(req);
    if (expected) checkToken(req, expected);
  };
}

function checkCertificate({ socket }: IncomingMessage): void {
  if (!(socket instanceof TLSSocket) || socket.getPeerX509Certificate() === undefined) {
    throw new Refusal(401, 'expected a client certificate, got none');
  }
  if (!socket.authorized) {
    // At run time it is the code of the failed check, such as DEPTH_ZERO_SELF_SIGNED_CERT.
    const why = String(socket.authorizationError);
    throw new Refusal(403, `the client certificate is not trusted: ${why}`);
  }
}

function checkToken(req: IncomingMessage, expected: Buffer): void {
  const [, token] = BEARER.exec(req.headers.authorization ?? '') ?? [];
  // Hashes have one length, so the comparison takes the same time whatever was sent.
  if (token !== undefined && timingSafeEqual(digest(token), expected)) return;
  const what = token === undefined ? 'got none' : 'got another one';
  throw new Refusal(401, `expected the token of AUDITING_WEBHOOK_TOKEN as Bearer, ${what}`, {
    headers: { 'WWW-Authenticate': 'Bearer' },
  });
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
