import { randomBytes } from 'node:crypto';
import { isIP } from 'node:net';
import { generate } from 'selfsigned';

/** A certificate and its private key, PEM. */
export interface KeyPair {
  /** May hold the chain of the certificate behind it. */
  readonly cert: string;
  readonly key: string;
}

/** How long something is valid. */
export interface Validity {
  /** It begins an hour before: the clock of whoever checks it may be behind ours. */
  readonly now: Date;
  readonly days: number;
}

/** Whom a certificate is for. */
export interface CertificateWishes extends Validity {
  /** Host names and addresses, of which the first is the common name. */
  readonly hosts: readonly string[];
  /** Whether its holder also calls others with it. Default false. */
  readonly isClient?: boolean;
}

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const EC_P256 = { keyType: 'ec', curve: 'P-256', algorithm: 'sha256' } as const;
/** X.509 allows no longer common name. */
const COMMON_NAME_MAX = 64;

/** Makes an authority: a certificate that may sign those of servers and clients, and nothing below them. */
export async function makeAuthority(validity: Validity): Promise<KeyPair> {
  // The date tells people which is which in a trust store; OpenSSL takes one authority for another of the same name.
  const date = validity.now.toISOString().slice(0, 10);
  const name = `kube-auditing CA ${date} ${randomBytes(4).toString('hex')}`;
  const { cert, private: key } = await generate([{ name: 'commonName', value: name }], {
    ...validFor(validity),
    ...EC_P256,
    extensions: [
      { name: 'basicConstraints', cA: true, pathLenConstraint: 0, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  });
  return { cert, key };
}

/** Makes a certificate that the authority signs. */
export async function makeCertificate(
  authority: KeyPair,
  { hosts, isClient = false, ...validity }: CertificateWishes,
): Promise<KeyPair> {
  // Clients look at the alternative names alone.
  const commonName = (hosts[0] ?? 'localhost').slice(0, COMMON_NAME_MAX);
  const { cert, private: key } = await generate([{ name: 'commonName', value: commonName }], {
    ...validFor(validity),
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

function validFor({ now, days }: Validity): { notBeforeDate: Date; notAfterDate: Date } {
  const from = now.getTime() - HOUR_MS;
  return { notBeforeDate: new Date(from), notAfterDate: new Date(from + days * DAY_MS) };
}
