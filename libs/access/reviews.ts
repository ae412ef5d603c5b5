import type { KubeClient } from '@auditing/kubernetes/kube-client';
import { hasCode, NOT_FOUND } from '@auditing/kubernetes/kube-error';
import {
  reviewAccess,
  reviewToken,
  type KubeUser,
  type ResourceAttributes,
} from '@auditing/kubernetes/reviews';
import type { ScopeEntry } from '@auditing/proto/archive';
import { remembered } from './remembered';

/** What the Kubernetes API server says of callers, remembered for a short time. Rejects with KubeError while it is away. */
export interface Reviews {
  /** Whom a token belongs to; undefined if to nobody. */
  readonly userOf: (token: string) => Promise<KubeUser | undefined>;
  readonly allows: (user: KubeUser, what: ResourceAttributes) => Promise<boolean>;
  /** All namespaces, each with its creation. */
  readonly namespaces: () => Promise<readonly ScopeEntry[]>;
  /** All workspaces of Kube AI Hub; none where there is no such kind. */
  readonly workspaces: () => Promise<readonly ScopeEntry[]>;
}

/** What reviews need beside the API server. */
export interface ReviewOptions {
  readonly client: KubeClient;
  /** Milliseconds on a clock that does not run backwards. */
  readonly now: () => number;
  /** Ends reviews that are under way. */
  readonly stopping: AbortSignal;
}

/** A token or a right that was taken away still counts so long. */
export const REMEMBER_MS = 10_000;
/** Whoever guesses tokens asks the API server at most so often for each; one that was just made works soon. */
const REMEMBER_NO_MS = 2_000;
/** Tokens and users that ask within these ten seconds. */
const USERS_MAX = 1_000;
/** One for each user and namespace. About 200 bytes each. */
const ANSWERS_MAX = 50_000;
/** Objects a page. */
const PAGE = 500;
/** The API server is asked while somebody waits for an answer. */
const REVIEW_TIMEOUT_MS = 10_000;

interface KubeList {
  readonly metadata?: { readonly continue?: string };
  readonly items?: readonly {
    readonly metadata?: { readonly name?: string; readonly creationTimestamp?: string };
  }[];
}

/** Asks the API server, and remembers what it said for ten seconds. */
export function kubernetesReviews({ client, now, stopping }: ReviewOptions): Reviews {
  const signal = (): AbortSignal =>
    AbortSignal.any([stopping, AbortSignal.timeout(REVIEW_TIMEOUT_MS)]);
  const users = remembered<KubeUser | undefined>({
    ttlMs: (user) => (user === undefined ? REMEMBER_NO_MS : REMEMBER_MS),
    max: USERS_MAX,
    now,
  });
  const answers = remembered<boolean>({ ttlMs: () => REMEMBER_MS, max: ANSWERS_MAX, now });
  const lists = remembered<readonly ScopeEntry[]>({ ttlMs: () => REMEMBER_MS, max: 2, now });
  const list = (path: string): Promise<readonly ScopeEntry[]> =>
    lists(path, () => listAll(client, path, signal()));
  return {
    userOf: (token) => users(token, () => reviewToken(client, token, { signal: signal() })),
    allows: (user, what) =>
      answers(JSON.stringify([user, what]), async () => {
        const { allowed } = await reviewAccess(client, { user, resource: what }, signal());
        return allowed;
      }),
    namespaces: () => list('/api/v1/namespaces'),
    workspaces: () => list('/apis/tenant.kubesphere.io/v1alpha1/workspaces'),
  };
}

async function listAll(
  client: ReviewOptions['client'],
  path: string,
  signal: AbortSignal,
): Promise<readonly ScopeEntry[]> {
  const entries: ScopeEntry[] = [];
  let next: string | undefined;
  do {
    const query = { limit: PAGE, ...(next !== undefined && { continue: next }) };
    const page = await client
      .request<KubeList>({ path, query, signal })
      .catch((error: unknown): KubeList => {
        if (hasCode(error, NOT_FOUND)) return {};
        throw error;
      });
    for (const { metadata } of page.items ?? []) {
      const { name = '', creationTimestamp = '' } = metadata ?? {};
      const seconds = Math.floor(Date.parse(creationTimestamp) / 1_000);
      entries.push({ name, since: { seconds: BigInt(seconds), nanos: 0 } });
    }
    next = page.metadata?.continue;
  } while (next !== undefined && next !== '');
  return entries;
}
