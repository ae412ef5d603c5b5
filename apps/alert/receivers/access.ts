import { createHmac } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Receiver as ReceiverSpec, SecretReference } from '@auditing/proto/rule';

/** How long a secret is used before it is read again: a new one is in use by then. */
const SECRET_AGE_MS = 10_000;

/** How a receiver knows us. */
export interface Access {
  readonly headers: Readonly<Record<string, string>>;
  /** PEM of a certificate and its key. */
  readonly client: { readonly cert: string; readonly key: string } | undefined;
  readonly signingKey: string | undefined;
}

/** Gives it as it is now. Rejects with Error, naming the secret but never showing it, if one cannot be read. */
export type ReadAccess = () => Promise<Access>;

/** Reads the secrets of a receiver below a folder, again and again, so that a changed one is used without a restart. */
export function accessOf(spec: ReceiverSpec, secretsDir: string): ReadAccess {
  let last: { access: Promise<Access>; atMs: number } | undefined;
  return () => {
    const nowMs = Date.now();
    if (last === undefined || nowMs - last.atMs > SECRET_AGE_MS) {
      const access = readAll(spec, secretsDir);
      last = { access, atMs: nowMs };
      // What failed is read again the next time.
      access.catch(() => (last = undefined));
    }
    return last.access;
  };
}

/** Headers that prove who sent a body, and when: HMAC-SHA-256 of `<timestamp>.<body>`. */
export function signatureHeaders(
  signingKey: string | undefined,
  { body, nowMs }: { readonly body: string; readonly nowMs: number },
): Readonly<Record<string, string>> {
  if (signingKey === undefined) return {};
  const timestamp = String(Math.floor(nowMs / 1_000));
  const mac = createHmac('sha256', signingKey).update(`${timestamp}.${body}`).digest('hex');
  return { 'auditing-timestamp': timestamp, 'auditing-signature': `sha256=${mac}` };
}

async function readAll(spec: ReceiverSpec, secretsDir: string): Promise<Access> {
  const { bearerToken, basicAuth, clientCertificate, signingKey } = spec;
  const read = (of: SecretReference | undefined): Promise<string> => readSecret(of, secretsDir);
  const headers: Record<string, string> = {};
  for (const { name, value, valueFrom } of spec.headers) {
    headers[name.toLowerCase()] = valueFrom ? await read(valueFrom) : value;
  }
  if (bearerToken) headers['authorization'] = `Bearer ${await read(bearerToken)}`;
  if (basicAuth) {
    const pair = `${basicAuth.username}:${await read(basicAuth.password)}`;
    headers['authorization'] = `Basic ${Buffer.from(pair).toString('base64')}`;
  }
  return {
    headers,
    client: clientCertificate && {
      cert: await read(clientCertificate.certificate),
      key: await read(clientCertificate.privateKey),
    },
    signingKey: signingKey && (await read(signingKey)),
  };
}

async function readSecret(of: SecretReference | undefined, secretsDir: string): Promise<string> {
  const path = of?.secret ? `${of.secret.name}/${of.secret.key}` : (of?.file ?? '');
  // The rule service checks it too; a file elsewhere must not leave this machine.
  if (path === '' || path.split('/').some((part) => ['', '.', '..'].includes(part))) {
    throw new Error(`secret ${JSON.stringify(path)}: expected a path below ${secretsDir}`);
  }
  try {
    // Editors put a line break at the end of a file, which is never meant.
    const text = (await readFile(join(secretsDir, path), 'utf8')).replace(/\r?\n$/, '');
    if (text === '') throw new Error('it is empty');
    return text;
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
    throw new Error(`secret ${path} below ${secretsDir} cannot be read: ${why}`, { cause: error });
  }
}
