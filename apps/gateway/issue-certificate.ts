import { isIP } from 'node:net';
import { generate } from 'selfsigned';
import type { KeyPair } from './key-pair';

const DAY_MS = 86_400_000;
/** Senders are configured with the CA by hand, so it lasts. */
const CA_DAYS = 3_650;
/** Longest that today's clients accept of a server certificate. */
const SERVER_DAYS = 397;

/** A CA of our own. */
export async function makeCa(now: Date): Promise<KeyPair> {
  // The date tells apart the CAs of different years in a trust store.
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

/** A certificate for a server, of these hosts, of which the first is the common name. */
export async function makeServer(
  ca: KeyPair,
  hosts: readonly string[],
  now: Date,
): Promise<KeyPair> {
  const [commonName = 'localhost'] = hosts;
  const { cert, private: key } = await generate([{ name: 'commonName', value: commonName }], {
    ...validFor(SERVER_DAYS, now),
    ...EC_P256,
    ca,
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

const EC_P256 = { keyType: 'ec', curve: 'P-256', algorithm: 'sha256' } as const;

/** From an hour ago: the clock of a sender may be behind ours. */
function validFor(days: number, now: Date): { notBeforeDate: Date; notAfterDate: Date } {
  const from = now.getTime() - 3_600_000;
  return { notBeforeDate: new Date(from), notAfterDate: new Date(from + days * DAY_MS) };
}
