import { createPrivateKey, randomBytes, X509Certificate } from 'node:crypto';
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
const LEAF_DAYS = 90;
/** Renewed when less than a third of its time is left. */
const RENEW_SHARE = 1 / 3;
/** An authority that is older than this is joined by the next one, so that senders have years to take it over. */
const CA_RENEW_BEFORE_DAYS = 365;
const EC_P256 = { keyType: 'ec', curve: 'P-256', algorithm: 'sha256' } as const;

/** Makes an authority, by default for as long as senders need that were told of it by hand. */
export async function makeAuthority(now: Date, days: number = CA_DAYS): Promise<KeyPair> {
  // Names of their own: OpenSSL takes one authority for another of the same name.
  const name = `kube-auditing CA ${now.toISOString().slice(0, 10)} ${randomBytes(4).toString('hex')}`;
  const { cert, private: key } = await generate([{ name: 'commonName', value: name }], {
    ...validFor(days, now),
    ...EC_P256,
    extensions: [
      { name: 'basicConstraints', cA: true, pathLenConstraint: 0, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  });
  return { cert, key };
}

/** Whom a certificate is for. */
export interface CertificateWishes {
  /** The first is its common name. */
  readonly hosts: readonly string[];
  /** Whether its holder also calls others with it; false. */
  readonly isClient?: boolean;
  readonly now: Date;
}

/** Makes a certificate, for 90 days. */
export async function makeCertificate(
  authority: KeyPair,
  { hosts, isClient = false, now }: CertificateWishes,
): Promise<KeyPair> {
  // Common names have at most 64 characters; clients look at the alternative names alone.
  const commonName = (hosts[0] ?? 'localhost').slice(0, 64);
  const { cert, private: key } = await generate([{ name: 'commonName', value: commonName }], {
    ...validFor(LEAF_DAYS, now),
    ...EC_P256,
    ca: authority,
    extensions: [
      { name: 'basicConstraints', cA: false, critical: true },
      { name: 'keyUsage', digitalSignature: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true, ...(isClient && { clientAuth: true }) },
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

/** Whether a certificate is signed by the authority, for all hosts, and will do for some time. */
export function isCertificateCurrent(
  pair: KeyPair,
  authority: Pick<KeyPair, 'cert'>,
  { hosts, now }: { readonly hosts: readonly string[]; readonly now: Date },
): boolean {
  const found = parsed(pair.cert);
  if (!found || !isWhole(pair) || leftDays(found, now) < LEAF_DAYS * RENEW_SHARE) return false;
  const covers = (host: string): boolean =>
    (isIP(host) ? found.checkIP(host) : found.checkHost(host)) !== undefined;
  return found.verify(new X509Certificate(authority.cert).publicKey) && hosts.every(covers);
}

/** Whether a key is that of its certificate. */
export function isWhole({ cert, key }: KeyPair): boolean {
  try {
    return new X509Certificate(cert).checkPrivateKey(createPrivateKey(key));
  } catch {
    return false;
  }
}

/** When a certificate ends; undefined if it is none. */
export function endOf(cert: string): Date | undefined {
  const found = parsed(cert);
  return found && new Date(found.validTo);
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
