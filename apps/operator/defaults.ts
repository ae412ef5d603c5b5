import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { KubeClient } from '@auditing/kubernetes/kube-client';
import { CONFLICT, hasCode } from '@auditing/kubernetes/kube-error';
import { resourcePath, type KubeObject } from '@auditing/kubernetes/kube-object';
import { parseAllDocuments } from 'yaml';
import { RULES, WEBHOOKS } from './kinds';

/** Makes the resources of a folder; those that are there stay as they are. Gives the names of those made. */
export async function createDefaults(
  client: KubeClient,
  { folder, namespace }: { readonly folder: string; readonly namespace: string },
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
