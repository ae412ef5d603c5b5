import type { KubeClient } from './kube-client';

/** Who a token belongs to, as the API server says. */
export interface KubeUser {
  readonly username: string;
  readonly uid?: string;
  readonly groups?: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

/** What somebody wants to do. */
export interface ResourceAttributes {
  readonly group: string;
  readonly version?: string;
  readonly resource: string;
  readonly subresource?: string;
  readonly verb: string;
  /** Left out for all namespaces. */
  readonly namespace?: string;
  readonly name?: string;
}

/** An answer of {@link reviewAccess}. */
export interface AccessReview {
  readonly allowed: boolean;
  /** Why, in the words of the authorizer; may be empty. */
  readonly reason: string;
}

/**
 * Asks the API server who a bearer token belongs to.
 *
 * @param audiences whom the token must be meant for; empty stands for the API server itself
 * @returns undefined if the token is no good
 */
export async function reviewToken(
  client: KubeClient,
  token: string,
  options: { readonly audiences?: readonly string[]; readonly signal: AbortSignal },
): Promise<KubeUser | undefined> {
  const { audiences = [], signal } = options;
  const { status } = await client.request<{
    readonly status?: { readonly authenticated?: boolean; readonly user?: KubeUser };
  }>({
    method: 'POST',
    path: '/apis/authentication.k8s.io/v1/tokenreviews',
    body: {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      spec: { token, ...(audiences.length > 0 && { audiences }) },
    },
    signal,
  });
  return status?.authenticated === true ? status.user : undefined;
}

/** Asks the API server whether a user may do something. */
export async function reviewAccess(
  client: KubeClient,
  asked: { readonly user: KubeUser; readonly resource: ResourceAttributes },
  signal: AbortSignal,
): Promise<AccessReview> {
  const { username, uid, groups, extra } = asked.user;
  const { status } = await client.request<{
    readonly status?: {
      readonly allowed?: boolean;
      readonly denied?: boolean;
      readonly reason?: string;
    };
  }>({
    method: 'POST',
    path: '/apis/authorization.k8s.io/v1/subjectaccessreviews',
    body: {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      spec: { user: username, uid, groups, extra, resourceAttributes: asked.resource },
    },
    signal,
  });
  return {
    allowed: status?.allowed === true && status.denied !== true,
    reason: status?.reason ?? '',
  };
}
