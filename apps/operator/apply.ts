import { apply as applyToServer } from '@auditing/kubernetes/apply';
import type { KubeClient } from '@auditing/kubernetes/kube-client';
import type { KubeObject } from '@auditing/kubernetes/kube-object';
import { covers } from './covers';
import type { Wanted } from './gateway-objects';
import { FIELD_MANAGER } from './kinds';

/** What became of an object. */
export interface Applied {
  readonly outcome: 'unchanged' | 'created' | 'repaired';
  /** As it is then. */
  readonly object: KubeObject;
}

/** Makes an object as it is wanted, and leaves it alone if it is so already. */
export async function applyWanted(
  client: KubeClient,
  { type, object }: Wanted,
  { live, signal }: { readonly live: KubeObject | undefined; readonly signal: AbortSignal },
): Promise<Applied> {
  if (live && covers(live, object)) return { outcome: 'unchanged', object: live };
  const options = { fieldManager: FIELD_MANAGER, signal };
  const made = await applyToServer<KubeObject>(client, { type, object }, options);
  const isSame = live && live.metadata.resourceVersion === made.metadata.resourceVersion;
  return { outcome: isSame ? 'unchanged' : live ? 'repaired' : 'created', object: made };
}
