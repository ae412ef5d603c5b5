import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { generate } from 'selfsigned';

/** A certificate and its key, in PEM. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

const DAY_MS = 86_400_000;
/** kube-apiserver is told by hand to trust it, so it lasts. */
const CA_DAYS = 3_650;
const SERVER_DAYS = 90;
/** Renewed when less than a third of its time is left. */
const RENEW_SHARE = 1 / 3;
/** An authority that is older than this is joined by the next one, so that senders have years to take it over. */
const CA_RENEW_BEFORE_DAYS = 365;
const EC_P256 = { keyType: 'ec', curve: 'P-256', algorithm: 'sha256' } as const;

/** Makes an authority. */
export async function makeAuthority(now: Date): Promise<KeyPair> {
  const name = `kube-auditing CA ${now.toISOString().slice(0, 10)}`;
  const { cert, private: key } = await generate([{ name: 'commonName', value: name }], {
    ...validFor(CA_DAYS, now),
    ...EC_P256,
    extensions: [
      { name: 'basicConstraints', cA: true, pathLenConstraint: 0, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  });
  return { cert, key };
}

/** Makes the certificate of a server; the first host is its common name. */
export async function makeServerCertificate(
  authority: KeyPair,
  hosts: readonly string[],
  now: Date,
): Promise<KeyPair> {
  // Common names have at most 64 characters; clients look at the alternative names alone.
  const commonName = (hosts[0] ?? 'localhost').slice(0, 64);
  const { cert, private: key } = await generate([{ name: 'commonName', value: commonName }], {
    ...validFor(SERVER_DAYS, now),
    ...EC_P256,
    ca: authority,
    extensions: [
      { name: 'basicConstraints', cA: false, critical: true },
      { name: 'keyUsage', digitalSignature: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: hosts.map((host) =>
          isIP(host) ? { type: 7, ip: host } : { type: 2, value: host },
        ),
      },
    ],
  });
  return { cert, key };
}

/** Whether an authority can go on signing. */
export function isAuthorityCurrent({ cert }: KeyPair, now: Date): boolean {
  const found = parsed(cert);
  return found !== undefined && leftDays(found, now) > CA_RENEW_BEFORE_DAYS;
}

/** Whether a server's certificate is signed by the authority, for all hosts, and will do for some time. */
export function isServerCurrent(
  { cert }: Pick<KeyPair, 'cert'>,
  authority: KeyPair,
  { hosts, now }: { readonly hosts: readonly string[]; readonly now: Date },
): boolean {
  const found = parsed(cert);
  if (!found || leftDays(found, now) < SERVER_DAYS * RENEW_SHARE) return false;
  const covers = (host: string): boolean =>
    (isIP(host) ? found.checkIP(host) : found.checkHost(host)) !== undefined;
  return found.verify(new X509Certificate(authority.cert).publicKey) && hosts.every(covers);
}

function parsed(cert: string): X509Certificate | undefined {
  try {
    return new X509Certificate(cert);
  } catch {
    return undefined;
  }
}

function leftDays({ validTo }: X509Certificate, now: Date): number {
  return (Date.parse(validTo) - now.getTime()) / DAY_MS;
}

/** From an hour ago: the clock of a sender may be behind ours. */
function validFor(days: number, now: Date): { notBeforeDate: Date; notAfterDate: Date } {
  const from = now.getTime() - 3_600_000;
  return { notBeforeDate: new Date(from), notAfterDate: new Date(from + days * DAY_MS) };
}
