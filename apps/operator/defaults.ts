import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { apply } from '@auditing/kubernetes/apply';
import type { KubeClient } from '@auditing/kubernetes/kube-client';
import { CONFLICT, hasCode, NOT_FOUND } from '@auditing/kubernetes/kube-error';
import { resourcePath, type KubeObject } from '@auditing/kubernetes/kube-object';
import { parseAllDocuments } from 'yaml';
import { CONFIG_MAPS, FIELD_MANAGER, RULES, WEBHOOKS } from './kinds';

/** The ConfigMap of the shipped resources: it goes with the installation, and so does the mark on it. */
const DEFAULTS_CONFIG_MAP = 'kube-auditing-defaults';
/** There as soon as the installation had its Webhook: whoever deletes that one means it. */
const DEFAULTS_ANNOTATION = 'auditing.kubesphere.io/defaults';

/** Where the shipped resources are, and where they go. */
interface DefaultsPlace {
  readonly folder: string;
  readonly namespace: string;
}

/**
 * Makes the shipped resources, once in the life of an installation, if the cluster has no Webhook then. Gives the names of
 * those made.
 *
 * @throws KubeError if the API server does not take one; what is made by then stays, and the next call makes the rest
 */
export async function ensureDefaults(
  client: KubeClient,
  place: DefaultsPlace,
  { hasWebhook, signal }: { readonly hasWebhook: boolean; readonly signal: AbortSignal },
): Promise<string[]> {
  const { namespace } = place;
  const metadata = { namespace, name: DEFAULTS_CONFIG_MAP };
  const map = await client
    .request<KubeObject>({ path: resourcePath(CONFIG_MAPS, metadata), signal })
    .catch((error: unknown) => {
      if (hasCode(error, NOT_FOUND)) return undefined;
      throw error;
    });
  if (map?.metadata.annotations?.[DEFAULTS_ANNOTATION] !== undefined) return [];
  const made = hasWebhook ? [] : await createDefaults(client, place, signal);
  const object = { metadata: { ...metadata, annotations: { [DEFAULTS_ANNOTATION]: 'made' } } };
  await apply(client, { type: CONFIG_MAPS, object }, { fieldManager: FIELD_MANAGER, signal });
  return made;
}

/** Makes the resources of a folder; those that are there stay as they are. Gives the names of those made. */
async function createDefaults(
  client: KubeClient,
  { folder, namespace }: DefaultsPlace,
  signal: AbortSignal,
): Promise<string[]> {
  const made: string[] = [];
  const names = (await readdir(folder)).filter((name) => /\.ya?ml$/.test(name)).sort();
  for (const file of names) {
    const documents = parseAllDocuments(await readFile(join(folder, file), 'utf8'));
    for (const document of documents) {
      const resource = document.toJS() as KubeObject | null;
      if (resource && (await create(client, { resource, namespace }, signal)))
        made.push(`${resource.kind ?? ''}/${resource.metadata.name}`);
    }
  }
  return made;
}

async function create(
  client: KubeClient,
  { resource, namespace }: { readonly resource: KubeObject; readonly namespace: string },
  signal: AbortSignal,
): Promise<boolean> {
  const isWebhook = resource.kind === 'Webhook';
  if (!isWebhook && resource.kind !== 'Rule') return false;
  const place = isWebhook ? {} : { namespace: resource.metadata.namespace ?? namespace };
  try {
    await client.request({
      method: 'POST',
      path: resourcePath(isWebhook ? WEBHOOKS : RULES, place),
      body: { ...resource, metadata: { ...resource.metadata, ...place } },
      signal,
    });
    return true;
  } catch (error) {
    if (hasCode(error, CONFLICT)) return false;
    throw error;
  }
}
