import { createPrivateKey, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import {
  makeAuthority,
  makeCertificate,
  type CertificateWishes,
  type KeyPair,
} from '@auditing/service/certificates';

const DAY_MS = 86_400_000;
/** kube-apiserver is told by hand to trust it, so it lasts. */
const CA_DAYS = 3_650;
const LEAF_DAYS = 90;
/** Renewed when less than a third of its time is left. */
const RENEW_SHARE = 1 / 3;
/** An authority that is older than this is joined by the next one, so that senders have years to take it over. */
const CA_RENEW_BEFORE_DAYS = 365;

/** Makes an authority, for as long as senders need that were told of it by hand. */
export function newAuthority(now: Date): Promise<KeyPair> {
  return makeAuthority({ now, days: CA_DAYS });
}

/** Makes a certificate, for 90 days. */
export function newCertificate(
  authority: KeyPair,
  wishes: Omit<CertificateWishes, 'days'>,
): Promise<KeyPair> {
  return makeCertificate(authority, { ...wishes, days: LEAF_DAYS });
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
