import type { KubeObject } from '@auditing/kubernetes/kube-object';
import type { KeyPair } from '@auditing/service/certificates';
import {
  isAuthorityCurrent,
  isCertificateCurrent,
  newAuthority,
  newCertificate,
} from './certificates';
import type { SecretObject } from './kinds';

/** Marks a Secret that the operator made: one without it is somebody’s own, and stays as it is. */
export const MANAGED_LABEL = 'app.kubernetes.io/managed-by';
export const MANAGED_BY = 'kube-auditing-operator';

/** The Secrets of one server. */
export interface TlsSecrets {
  /** `tls.crt`, `tls.key` and `caBundle`, which the server shows and its clients trust. */
  readonly server: SecretObject | undefined;
  /** The authority: nothing but the operator reads it. */
  readonly authority: SecretObject | undefined;
}

/** What the Secrets are to be. */
export interface TlsSecretsWanted {
  readonly serverName: string;
  readonly authorityName: string;
  readonly namespace: string;
  readonly hosts: readonly string[];
  readonly now: Date;
}

/** Secrets to be applied, and what to tell. */
export interface TlsSecretsPlan {
  /** Empty if all is well. */
  readonly apply: readonly SecretObject[];
  /** Base64 of the certificates that clients must trust. */
  readonly caBundle: string;
}

/** Says what must be written for a server to have a certificate of these hosts that will do for some time. */
export async function planTlsSecrets(
  { server, authority }: TlsSecrets,
  { serverName, authorityName, namespace, hosts, now }: TlsSecretsWanted,
): Promise<TlsSecretsPlan> {
  if (server && server.metadata.labels?.[MANAGED_LABEL] !== MANAGED_BY)
    return { apply: [], caBundle: server.data?.['caBundle'] ?? '' };
  const keptAuthority = pairOf(authority);
  const isKept = keptAuthority !== undefined && isAuthorityCurrent(keptAuthority, now);
  const signer = isKept ? keptAuthority : await newAuthority(now);
  // The authority before is trusted on: servers show its certificates until they have read the new ones.
  const bundle = isKept
    ? (authority?.data?.['caBundle'] ?? encoded(signer.cert))
    : encoded(signer.cert + (keptAuthority?.cert ?? ''));
  const keptServer = pairOf(server);
  const isServerKept =
    keptServer !== undefined &&
    isCertificateCurrent(keptServer, signer, { hosts, now }) &&
    server?.data?.['caBundle'] === bundle;
  const pair = isServerKept ? keptServer : await newCertificate(signer, { hosts, now });
  const secret = (name: string, { cert, key }: KeyPair): SecretObject => ({
    metadata: { name, namespace, labels: { [MANAGED_LABEL]: MANAGED_BY } },
    ...({ type: 'Opaque' } as object),
    data: { 'tls.crt': encoded(cert), 'tls.key': encoded(key), caBundle: bundle },
  });
  return {
    // The authority first: a certificate whose authority got lost could not be renewed without telling senders.
    apply: [
      ...(isKept ? [] : [secret(authorityName, signer)]),
      ...(isServerKept ? [] : [secret(serverName, pair)]),
    ],
    caBundle: bundle,
  };
}

/** What a Secret holds; undefined if it is not whole. */
export function pairOf(secret: SecretObject | undefined): KeyPair | undefined {
  const { 'tls.crt': cert, 'tls.key': key } = secret?.data ?? {};
  return cert && key ? { cert: decoded(cert), key: decoded(key) } : undefined;
}

/** Makes an object go when its Webhook goes. */
export function owned<T extends KubeObject>(object: T, owner: KubeObject & { kind: string }): T {
  const { name, uid = '' } = owner.metadata;
  return {
    ...object,
    metadata: {
      ...object.metadata,
      ownerReferences: [
        {
          apiVersion: 'auditing.kubesphere.io/v1alpha1',
          kind: owner.kind,
          ...{ name, uid, controller: true, blockOwnerDeletion: true },
        },
      ],
    },
  };
}

/** Text as a Secret has it. */
export function encoded(text: string): string {
  return Buffer.from(text).toString('base64');
}

/** Text of a Secret. */
export function decoded(text: string): string {
  return Buffer.from(text, 'base64').toString('utf8');
}
