import type { KubeClient } from './kube-client';
import { resourcePath, type KubeObject, type ResourceType } from './kube-object';

/** What an apply is for. */
export interface ApplyOptions {
  /** Who owns the fields that are applied: fields that it applied before and no longer names are removed. */
  readonly fieldManager: string;
  /** Such as `status`. */
  readonly subresource?: string;
  readonly signal: AbortSignal;
}

/**
 * Server-side apply: makes the object if it is not there, and sets the fields that are given, also those that somebody
 * else has set. Fields that are not given stay as others want them.
 *
 * @returns the object as it is then
 * @throws KubeError NOT_FOUND for the subresource of an object that is not there
 */
export function apply<T extends KubeObject>(
  client: KubeClient,
  resource: { readonly type: ResourceType; readonly object: KubeObject },
  { fieldManager, subresource, signal }: ApplyOptions,
): Promise<T> {
  const { type, object } = resource;
  const { namespace, name } = object.metadata;
  return client.request<T>({
    method: 'PATCH',
    path: resourcePath(type, {
      namespace,
      name,
      ...(subresource !== undefined && { subresource }),
    }),
    query: { fieldManager, force: true },
    // JSON is YAML.
    contentType: 'application/apply-patch+yaml',
    body: { ...object, apiVersion: type.apiVersion, kind: type.kind },
    signal,
  });
}
