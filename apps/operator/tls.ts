import { hasCode, NOT_FOUND } from '@auditing/kubernetes/kube-error';
import type { KubeClient } from '@auditing/kubernetes/kube-client';
import { resourcePath } from '@auditing/kubernetes/kube-object';
import { applyWanted } from './apply';
import { SECRETS, type SecretObject } from './kinds';
import {
  MANAGED_BY,
  MANAGED_LABEL,
  pairOf,
  planTlsSecrets,
  type TlsSecretsWanted,
} from './tls-secrets';

/** Who asks for Secrets, and how that of the server is to be marked. */
interface TlsContext {
  readonly client: KubeClient;
  /** The authority is not: one that goes with its Webhook would be another one afterwards, which senders do not trust. */
  readonly mark?: (secret: SecretObject) => SecretObject;
  readonly signal: AbortSignal;
}

/** What was done. */
export interface TlsDone {
  /** Base64 of the certificates that clients must trust. */
  readonly caBundle: string;
  /** Names of the Secrets that were written. */
  readonly written: readonly string[];
  /** The certificate in force; undefined if there is none. */
  readonly cert: string | undefined;
}

/** Sees to it that a server has a certificate. Secrets are read anew: two authorities at once would confuse senders. */
export async function ensureTls(
  { client, mark = (secret) => secret, signal }: TlsContext,
  wanted: TlsSecretsWanted,
): Promise<TlsDone> {
  const { namespace, serverName, authorityName } = wanted;
  const server = await readSecret(client, { namespace, name: serverName }, signal);
  const authority = await readSecret(client, { namespace, name: authorityName }, signal);
  const { apply, caBundle } = await planTlsSecrets({ server, authority }, wanted);
  for (const secret of apply) {
    const object = secret.metadata.name === serverName ? mark(secret) : secret;
    await applyWanted(client, { type: SECRETS, object }, { live: undefined, signal });
  }
  await handOver({ client, mark, signal }, server, apply);
  const written = apply.map(({ metadata }) => metadata.name);
  const inForce = apply.find(({ metadata }) => metadata.name === serverName) ?? server;
  return { caBundle, written, cert: pairOf(inForce)?.cert };
}

/** Kubernetes would delete what belongs to a Webhook that is gone, though there is another one of its name. */
async function handOver(
  { client, mark = (secret) => secret, signal }: TlsContext,
  server: SecretObject | undefined,
  written: readonly SecretObject[],
): Promise<void> {
  if (server?.metadata.labels?.[MANAGED_LABEL] !== MANAGED_BY) return;
  const { name, namespace } = server.metadata;
  const labels = { [MANAGED_LABEL]: MANAGED_BY };
  if (written.some(({ metadata }) => metadata.name === name)) return;
  const { data } = server;
  const metadata = { name, ...(namespace !== undefined && { namespace }), labels };
  const object = mark({ metadata, ...({ type: 'Opaque' } as object), ...(data && { data }) });
  await applyWanted(client, { type: SECRETS, object }, { live: server, signal });
}

/** A Secret; undefined if it is not there. */
export async function readSecret(
  client: KubeClient,
  place: { readonly namespace: string; readonly name: string },
  signal: AbortSignal,
): Promise<SecretObject | undefined> {
  try {
    return await client.request<SecretObject>({ path: resourcePath(SECRETS, place), signal });
  } catch (error) {
    if (hasCode(error, NOT_FOUND)) return undefined;
    throw error;
  }
}
