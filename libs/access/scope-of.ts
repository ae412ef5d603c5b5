import type { KubeUser, ResourceAttributes } from '@auditing/kubernetes/reviews';
import type { Scope, ScopeEntry } from '@auditing/proto/archive';
import type { Reviews } from './reviews';

/** The group of Kube AI Hub's workspaces. */
const WORKSPACES_GROUP = 'tenant.kubesphere.io';

/** Reviews of one caller that are open at once. */
const REVIEWS_AT_ONCE = 32;

/**
 * What a user may see: every event if it may list `events` in the whole cluster, else those of the namespaces in which it
 * may, and of the workspaces whose subresource `events` it may list, each since it was created.
 */
export async function scopeOf(
  user: KubeUser,
  reviews: Reviews,
  eventsGroup: string,
): Promise<Scope | undefined> {
  if (await reviews.allows(user, everything(eventsGroup))) return undefined;
  const [namespaces, workspaces] = await Promise.all([
    allowed(await reviews.namespaces(), ({ name }) =>
      reviews.allows(user, { ...everything(eventsGroup), namespace: name }),
    ),
    allowed(await reviews.workspaces(), ({ name }) =>
      reviews.allows(user, {
        group: WORKSPACES_GROUP,
        resource: 'workspaces',
        subresource: 'events',
        verb: 'list',
        name,
      }),
    ),
  ]);
  return { namespaces, workspaces };
}

function everything(group: string): ResourceAttributes {
  return { group, resource: 'events', verb: 'list' };
}

async function allowed(
  entries: readonly ScopeEntry[],
  allows: (entry: ScopeEntry) => Promise<boolean>,
): Promise<ScopeEntry[]> {
  const answers: boolean[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < entries.length) {
      const at = next;
      next += 1;
      answers[at] = await allows(entries[at] as ScopeEntry);
    }
  };
  await Promise.all(Array.from({ length: REVIEWS_AT_ONCE }, work));
  return entries.filter((_, at) => answers[at]);
}
