import type { FakeKubeApi, FakeRequest } from '@auditing/kubernetes/testing/fake-kube-api';
import type { KubeManifest } from './kustomize';

/** Something that may be done, as `verb group/resource[/subresource] in NAMESPACE|cluster [name]`. */
export type Permission = string;

interface PolicyRule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

interface Parts {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly namespace: string | undefined;
  /** Undefined for all. */
  readonly name: string | undefined;
}

/** Verbs of which the API server does not know the name when it decides. */
const NAMELESS = ['list', 'watch', 'create'];

function written({ verb, group, resource, namespace, name }: Parts): Permission {
  const where = namespace ?? 'cluster';
  return [`${verb} ${group}/${resource} in ${where}`, ...(name === undefined ? [] : [name])].join(
    ' ',
  );
}

/** All that a service account is granted, each verb, resource and name by itself. */
export function grantsOf(manifests: readonly KubeManifest[], account: string): Set<Permission> {
  const grants = new Set<Permission>();
  for (const binding of manifests.filter(({ kind }) => /^(Cluster)?RoleBinding$/.test(kind))) {
    const { roleRef, subjects } = binding as unknown as {
      roleRef: { kind: string; name: string };
      subjects: readonly { name: string }[];
    };
    if (!subjects.some(({ name }) => name === account)) continue;
    const { namespace } = binding.metadata;
    const role = manifests.find(
      ({ kind, metadata }) =>
        kind === roleRef.kind &&
        metadata.name === roleRef.name &&
        (kind === 'ClusterRole' || metadata.namespace === namespace),
    );
    for (const rule of (role?.['rules'] ?? []) as PolicyRule[])
      for (const group of rule.apiGroups)
        for (const resource of rule.resources)
          for (const verb of rule.verbs)
            for (const name of rule.resourceNames ?? [undefined])
              grants.add(written({ verb, group, resource, namespace, name }));
  }
  return grants;
}

/** Records what the API server would have to allow for the requests that a fake one gets. */
export function recordNeeds(api: FakeKubeApi): { readonly needs: () => readonly Parts[] } {
  const needs: Parts[] = [];
  const answer = api.onRequest;
  api.onRequest = (request) => {
    needs.push(...needsOf(request, api));
    return answer(request);
  };
  return { needs: () => needs };
}

function needsOf(request: FakeRequest, api: FakeKubeApi): Parts[] {
  const { method, path, query, body } = request;
  const [root, ...rest] = path.split('/').slice(1).map(decodeURIComponent);
  const [group = '', version = ''] =
    root === 'api' ? ['', ...rest.splice(0, 1)] : rest.splice(0, 2);
  // Which versions there are may be asked by everybody (system:discovery).
  if (rest.length === 0) return [];
  const namespace = rest[0] === 'namespaces' && rest.length > 2 ? rest.splice(0, 2)[1] : undefined;
  const [plural = '', name, subresource] = rest;
  const at = { group, namespace };
  const resource = subresource === undefined ? plural : `${plural}/${subresource}`;
  const verb = verbOf(method, name !== undefined, query.get('watch') === 'true');
  const collection = [...(group === '' ? [] : [group]), version, plural].join('/');
  const isNew =
    method === 'PATCH' &&
    subresource === undefined &&
    !api.store
      .list({ collection, namespace, name: undefined, subresource: undefined })
      .some(({ metadata }) => metadata.name === name);
  return [
    { ...at, verb, resource, name: NAMELESS.includes(verb) ? undefined : name },
    // Applying what is not there creates it.
    ...(isNew ? [{ ...at, verb: 'create', resource, name: undefined }] : []),
    ...finalizersOf(body),
  ];
}

function verbOf(method: string, isNamed: boolean, isWatch: boolean): string {
  if (method === 'GET') return isWatch ? 'watch' : isNamed ? 'get' : 'list';
  const verbs: Readonly<Record<string, string>> = { POST: 'create', PUT: 'update', PATCH: 'patch' };
  return verbs[method] ?? method.toLowerCase();
}

/** Whoever sets an owner reference that blocks deletion must be allowed to set finalizers of the owner. */
function finalizersOf(body: FakeRequest['body']): Parts[] {
  const { metadata } = body as {
    metadata?: {
      ownerReferences?: { apiVersion: string; kind: string; blockOwnerDeletion: boolean }[];
    };
  };
  return (metadata?.ownerReferences ?? [])
    .filter(({ blockOwnerDeletion }) => blockOwnerDeletion)
    .map(({ apiVersion, kind }) => ({
      verb: 'update',
      group: apiVersion.split('/')[0] ?? '',
      resource: `${kind.toLowerCase()}s/finalizers`,
      namespace: undefined,
      name: undefined,
    }));
}

/** What is needed and not granted, and what is granted and not needed. */
export function compare(
  needs: readonly Parts[],
  grants: ReadonlySet<Permission>,
): { readonly missing: readonly Permission[]; readonly superfluous: readonly Permission[] } {
  const missing = new Set<Permission>();
  const used = new Set<Permission>();
  for (const need of needs) {
    const granting = [need.namespace, undefined]
      .flatMap((namespace) => [need.name, undefined].map((name) => ({ ...need, namespace, name })))
      .map(written)
      .find((one) => grants.has(one));
    if (granting === undefined) missing.add(written(need));
    else used.add(granting);
  }
  return {
    missing: [...missing].sort(),
    superfluous: [...grants].filter((one) => !used.has(one)).sort(),
  };
}
