import { X509Certificate } from 'node:crypto';
import { mkdir, open, rename } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import type { KeyPair } from '@auditing/service/certificates';
import { readKeyPair } from './key-pair';

/** What a self-signed server shows, and what its senders must trust. */
export interface SelfSigned {
  readonly server: KeyPair;
  /** Certificate of the CA, PEM: `certificate-authority-data` of a kubeconfig is its base64. */
  readonly caCert: string;
}

/** What the certificate is made for. */
export interface SelfSignedOptions {
  /** Folder that keeps it: `ca.crt`, `ca.key`, `tls.crt`, `tls.key`. */
  readonly directory: string;
  /** Host names and addresses, of which the first is the common name. */
  readonly hosts: readonly string[];
  readonly now: Date;
}

const DAY_MS = 86_400_000;
/** Senders are configured with the CA by hand, so it lasts. */
const CA_DAYS = 3_650;
/** Longest that today's clients accept of a server certificate. */
const SERVER_DAYS = 397;
/** A certificate is replaced when it has fewer days left. */
const RENEW_BEFORE_DAYS = 30;

/**
 * The certificate of the folder, made or renewed where it is missing, about to expire, damaged, or not for these
 * hosts. The CA stays the same as long as it lasts, because senders are told to trust it.
 */
export async function selfSigned({
  directory,
  hosts,
  now,
}: SelfSignedOptions): Promise<SelfSigned> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const keptCa = await readPair(directory, 'ca');
  // Loaded where a certificate is made, which is once in a year: its library is a megabyte of code.
  const issue = () => import('@auditing/service/certificates');
  const ca =
    keptCa && isCurrent(keptCa, now)
      ? keptCa
      : await (await issue()).makeAuthority({ now, days: CA_DAYS });
  const keptServer = await readPair(directory, 'tls');
  const keep =
    ca === keptCa &&
    keptServer !== undefined &&
    isCurrent(keptServer, now) &&
    isIssuedFor(keptServer, ca, hosts);
  const server = keep
    ? keptServer
    : await (await issue()).makeCertificate(ca, { hosts, now, days: SERVER_DAYS });
  if (ca !== keptCa) await writePair(directory, 'ca', ca);
  if (!keep) await writePair(directory, 'tls', server);
  return { server, caCert: ca.cert };
}

function isCurrent({ cert }: KeyPair, now: Date): boolean {
  const { validFrom, validTo } = new X509Certificate(cert);
  const renewAt = Date.parse(validTo) - RENEW_BEFORE_DAYS * DAY_MS;
  return Date.parse(validFrom) <= now.getTime() && now.getTime() < renewAt;
}

function isIssuedFor({ cert }: KeyPair, ca: KeyPair, hosts: readonly string[]): boolean {
  const certificate = new X509Certificate(cert);
  const covers = (host: string): boolean =>
    (isIP(host) ? certificate.checkIP(host) : certificate.checkHost(host)) !== undefined;
  return certificate.verify(new X509Certificate(ca.cert).publicKey) && hosts.every(covers);
}

/** A pair that belongs together; undefined if it is missing or damaged. */
async function readPair(directory: string, name: string): Promise<KeyPair | undefined> {
  try {
    return await readKeyPair(join(directory, `${name}.crt`), join(directory, `${name}.key`));
  } catch {
    return undefined;
  }
}

/** A crash between the two files leaves a pair that does not belong together, which is made anew. */
async function writePair(directory: string, name: string, { cert, key }: KeyPair): Promise<void> {
  await writeFile(join(directory, `${name}.key`), key, KEY_MODE);
  await writeFile(join(directory, `${name}.crt`), cert, CERT_MODE);
}

const KEY_MODE = 0o600;
const CERT_MODE = 0o644;

async function writeFile(path: string, text: string, mode: number): Promise<void> {
  const unfinished = `${path}.unfinished`;
  const file = await open(unfinished, 'w', mode);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(unfinished, path);
}
