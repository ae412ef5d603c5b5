import { makeAuthority, type KeyPair } from '@auditing/service/certificates';
import { endOf, isCertificateCurrent, isWhole, newCertificate } from './certificates';
import type { SecretObject } from './kinds';
import { decoded, encoded, MANAGED_BY, MANAGED_LABEL, pairOf } from './tls-secrets';

const DAY_MS = 86_400_000;
/** Nobody is told of this authority by hand, so it changes often enough that changing it is known to work. */
const CA_DAYS = 365;
/** Longer than a certificate that it signed just before lasts. */
const CA_RENEW_BEFORE_DAYS = 120;
/** Kubelets bring a changed Secret to its pods within minutes; nothing is gained by hurry. */
const SETTLE_MS = DAY_MS;
/** Since when all Secrets have the next authority in their `ca.crt`. */
const KNOWN_SINCE = 'auditing.kubesphere.io/next-known-since';
const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?/g;

/** Name of the Secret with the authority: nobody but the operator reads it. */
export const GRPC_AUTHORITY = 'kube-auditing-grpc-ca';

/** The services that talk gRPC with each other. */
const SERVICES = ['gateway', 'rule', 'archive', 'alert'] as const;

/** Secrets of the services, each with the names of its certificate; the first is the identity (docs/access.md). */
export function grpcIdentities(namespace: string): ReadonlyMap<string, readonly string[]> {
  return new Map(
    SERVICES.map((service) => {
      const name = `kube-auditing-${service}`;
      const host = service === 'gateway' ? 'kube-auditing-query' : name;
      const full = `${host}.${namespace}.svc`;
      return [`${name}-tls`, [`auditing-${service}`, host, full, `${full}.cluster.local`]];
    }),
  );
}

/** The Secrets as they are. */
export interface GrpcSecrets {
  readonly authority: SecretObject | undefined;
  readonly services: ReadonlyMap<string, SecretObject>;
}

/** Where and when. */
export interface GrpcMoment {
  readonly namespace: string;
  readonly now: Date;
}

interface Authority {
  readonly signer: KeyPair | undefined;
  /** Will sign when everybody trusts it. */
  readonly next: KeyPair | undefined;
  readonly nextKnownSince: string | undefined;
}

/**
 * Says which Secrets must be written, in this order, for the services to have certificates of each other's trust. Pods
 * read a change at different times, so an authority first gets into every `ca.crt`, and signs a day later; one that signed
 * before is trusted until it ends.
 *
 * @returns nothing if all is well
 */
export async function planGrpcSecrets(
  secrets: GrpcSecrets,
  { namespace, now }: GrpcMoment,
): Promise<readonly SecretObject[]> {
  const identities = grpcIdentities(namespace);
  const authority = await authorityFor(secrets, identities, now);
  const bundle = bundleOf(authority, secrets, now);
  const apply: SecretObject[] = [];
  const wantedAuthority = authoritySecret(authority, bundle, namespace);
  if (!hasSame(secrets.authority, wantedAuthority)) apply.push(wantedAuthority);
  for (const [name, hosts] of identities) {
    const live = secrets.services.get(name);
    const kept = pairOf(live);
    const isKept = kept !== undefined && isSigned(kept, authority.signer, { hosts, now, bundle });
    const { signer } = authority;
    if (!isKept && !signer) throw new Error('a certificate without an authority');
    const pair = isKept
      ? kept
      : await newCertificate(signer as KeyPair, { hosts, isClient: true, now });
    const wanted = secret(name, namespace, {
      'tls.crt': encoded(pair.cert),
      'tls.key': encoded(pair.key),
      'ca.crt': encoded(bundle),
    });
    if (!hasSame(live, wanted)) apply.push(wanted);
  }
  return apply;
}

/** Who signs from now on, and who will. */
async function authorityFor(
  { authority, services }: GrpcSecrets,
  identities: ReadonlyMap<string, readonly string[]>,
  now: Date,
): Promise<Authority> {
  const { data = {}, metadata } = authority ?? {};
  let signer = usable(pairOf(authority), now);
  let next = usable(nextOf(data), now);
  let nextKnownSince = next && metadata?.annotations?.[KNOWN_SINCE];
  if (next && now.getTime() - Date.parse(nextKnownSince ?? '') >= SETTLE_MS)
    [signer, next, nextKnownSince] = [next, undefined, undefined];
  if (!next && (!signer || daysLeft(signer, now) < CA_RENEW_BEFORE_DAYS))
    next = await makeAuthority({ now, days: CA_DAYS });
  const bundle = trustedBefore({ authority, services }).join('');
  const isSignerNeeded = [...identities].some(([name, hosts]) => {
    const pair = pairOf(services.get(name));
    return !pair || !isSigned(pair, signer, { hosts, now, bundle });
  });
  // There is nobody else who could sign: the next one does, at once.
  if (!signer && isSignerNeeded) [signer, next, nextKnownSince] = [next, undefined, undefined];
  const isKnown = (one: KeyPair): boolean =>
    [...identities.keys()].every((name) =>
      certificatesIn(one.cert).every((cert) => certificatesOf(services.get(name)).includes(cert)),
    );
  if (next && nextKnownSince === undefined && isKnown(next)) nextKnownSince = now.toISOString();
  return { signer, next, nextKnownSince };
}

/** Whether a certificate can stay. If the authority was lost, one stays that others still trust. */
function isSigned(
  pair: KeyPair,
  signer: KeyPair | undefined,
  { bundle, ...wishes }: { hosts: readonly string[]; now: Date; bundle: string },
): boolean {
  const signers = signer ? [signer] : certificatesIn(bundle).map((cert) => ({ cert }));
  return signers.some((one) => isCertificateCurrent(pair, one, wishes));
}

/** All that is to be trusted, newest first. */
function bundleOf({ signer, next }: Authority, secrets: GrpcSecrets, now: Date): string {
  const ours = [signer, next].flatMap((one) => (one ? certificatesIn(one.cert) : []));
  const all = new Set([...ours, ...trustedBefore(secrets)]);
  return [...all].filter((cert) => isValid(cert, now)).join('');
}

function trustedBefore({ authority, services }: GrpcSecrets): string[] {
  // Where the authority was lost, the Secrets of the services know it.
  const from = authority ? [authority] : [...services.values()];
  return [...new Set(from.flatMap(certificatesOf))];
}

function authoritySecret(
  { signer, next, nextKnownSince }: Authority,
  bundle: string,
  namespace: string,
): SecretObject {
  const made = secret(GRPC_AUTHORITY, namespace, {
    ...(signer && { 'tls.crt': encoded(signer.cert), 'tls.key': encoded(signer.key) }),
    ...(next && { 'next.crt': encoded(next.cert), 'next.key': encoded(next.key) }),
    'ca.crt': encoded(bundle),
  });
  if (nextKnownSince === undefined) return made;
  return {
    ...made,
    metadata: { ...made.metadata, annotations: { [KNOWN_SINCE]: nextKnownSince } },
  };
}

function secret(name: string, namespace: string, data: Record<string, string>): SecretObject {
  return {
    metadata: { name, namespace, labels: { [MANAGED_LABEL]: MANAGED_BY } },
    ...({ type: 'Opaque' } as object),
    data,
  };
}

function hasSame(live: SecretObject | undefined, wanted: SecretObject): boolean {
  const keys = new Set([...Object.keys(live?.data ?? {}), ...Object.keys(wanted.data ?? {})]);
  return (
    live?.metadata.annotations?.[KNOWN_SINCE] === wanted.metadata.annotations?.[KNOWN_SINCE] &&
    [...keys].every((key) => live?.data?.[key] === wanted.data?.[key])
  );
}

function nextOf({
  'next.crt': cert,
  'next.key': key,
}: Record<string, string>): KeyPair | undefined {
  return cert && key ? { cert: decoded(cert), key: decoded(key) } : undefined;
}

function usable(pair: KeyPair | undefined, now: Date): KeyPair | undefined {
  return pair && isWhole(pair) && isValid(pair.cert, now) ? pair : undefined;
}

function isValid(cert: string, now: Date): boolean {
  return (endOf(cert)?.getTime() ?? 0) > now.getTime();
}

function daysLeft({ cert }: KeyPair, now: Date): number {
  return ((endOf(cert)?.getTime() ?? 0) - now.getTime()) / DAY_MS;
}

/** What whoever reads a Secret trusts. */
function certificatesOf(secret: SecretObject | undefined): string[] {
  return certificatesIn(decoded(secret?.data?.['ca.crt'] ?? ''));
}

function certificatesIn(pem: string): string[] {
  return (pem.match(PEM) ?? []).map((one) => `${one.trimEnd()}\n`);
}
