import type { KubeManifest } from './kustomize';

interface Model {
  validate(): void;
}

/** Kinds that Kubernetes itself does not define. */
const OTHERS =
  /^(cert-manager\.io|monitoring\.coreos\.com|auditing\.kubesphere\.io|kind\.x-k8s\.io)\//;

/**
 * What is wrong with a manifest by the schemas of Kubernetes: wrong types, missing fields, and keys that no schema names,
 * which an API server would drop in silence. Empty for kinds of others.
 */
export async function faultsOf(manifest: KubeManifest): Promise<readonly string[]> {
  if (OTHERS.test(manifest.apiVersion)) return [];
  // Versions that are no more have the fields of those that took their place.
  const apiVersion = manifest.apiVersion.replace(/^policy\/v1beta1$/, 'policy/v1');
  const models = (await import(`kubernetes-models/${apiVersion}`)) as Record<
    string,
    new (data: object) => Model
  >;
  const Kind = models[manifest.kind];
  if (!Kind) return [`no kind ${manifest.kind} in ${apiVersion}`];
  const watched = watchReads({ ...manifest, apiVersion });
  try {
    new Kind(watched.value).validate();
  } catch (error) {
    return [String(error)];
  }
  return watched.unread();
}

/** A copy that knows which of its keys were read: a validator reads every key that its schema names, and no other. */
function watchReads(
  root: object,
  path = '',
): { readonly value: object; readonly unread: () => readonly string[] } {
  const read = new Set<string>();
  const children = new Map<string, ReturnType<typeof watchReads>>();
  const value = new Proxy(root, {
    get(target, key, receiver) {
      const found: unknown = Reflect.get(target, key, receiver);
      if (typeof key !== 'string') return found;
      read.add(key);
      if (typeof found !== 'object' || found === null) return found;
      const child = children.get(key) ?? watchReads(found, `${path}/${key}`);
      children.set(key, child);
      return child.value;
    },
  });
  return {
    value,
    unread: () => [
      ...Object.keys(root)
        .filter((key) => !read.has(key))
        .map((key) => `${path}/${key} is no field`),
      ...[...children.values()].flatMap((child) => child.unread()),
    ],
  };
}
