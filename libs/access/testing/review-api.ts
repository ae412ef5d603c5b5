import { fakeKubeApi, type FakeKubeApi } from '@auditing/kubernetes/testing/fake-kube-api';

/** An API server over real HTTP that reviews tokens and access, and says who asked. */
export interface ReviewApi {
  readonly api: FakeKubeApi;
  /** Names of users by their tokens. */
  readonly users: Map<string, string>;
  /** What users may do: `alice list events/shop`, `alice list events`, `bob list workspaces:team/events`. */
  readonly rights: Set<string>;
  /** How often something of this kind was asked for. */
  readonly count: (path: string) => number;
}

interface Attributes {
  readonly group?: string;
  readonly resource: string;
  readonly subresource?: string;
  readonly verb: string;
  readonly namespace?: string;
  readonly name?: string;
}

/** Starts one. Namespaces and workspaces are created in `api.store`. */
export async function reviewApi(): Promise<ReviewApi> {
  const api = await fakeKubeApi();
  const users = new Map<string, string>();
  const rights = new Set<string>();
  api.onRequest = ({ path, body }) => {
    const spec = body['spec'] as Record<string, unknown> | undefined;
    if (path.endsWith('/tokenreviews')) {
      const username = users.get(String(spec?.['token']));
      const user = { username, groups: ['system:authenticated'] };
      const status = username === undefined ? { error: 'no' } : { authenticated: true, user };
      return { code: 201, body: { status } };
    }
    if (path.endsWith('/subjectaccessreviews')) {
      const user = String(spec?.['user']);
      const right = rightOf(spec?.['resourceAttributes'] as Attributes);
      return { code: 201, body: { status: { allowed: rights.has(`${user} ${right}`) } } };
    }
    return undefined;
  };
  return {
    api,
    users,
    rights,
    count: (path) => api.requests.filter((request) => request.path.includes(path)).length,
  };
}

function rightOf(asked: Attributes): string {
  const { group = '', resource, subresource, verb, namespace, name } = asked;
  const kind = group === '' ? resource : `${resource}.${group}`;
  return [
    `${verb} ${kind}`,
    name === undefined ? '' : `:${name}`,
    namespace === undefined ? '' : `/${namespace}`,
    subresource === undefined ? '' : `/${subresource}`,
  ].join('');
}
