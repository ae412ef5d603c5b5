import { kubeClient } from '@auditing/kubernetes/kube-client';
import { reviewApi, type ReviewApi } from '@auditing/access/testing/review-api';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ObjectHistoryResponse, type Query } from '@auditing/proto/archive';
import { event } from './testing/gateway';
import { OWN_API } from './own-api';
import { apiRoutes } from './query-api';
import { KAPIS, TestQueryApi, typed } from './testing/query-api';

/** Younger than the namespace, whenever that is created. */
const SHOWN = typed(event('a', { requestReceivedTimestamp: '2100-01-01T00:00:00Z' }));

let cluster: ReviewApi;
let directory: string;
let api: TestQueryApi;

/** Alice sees the namespace demo, viewer sees all events, nobody sees nothing, and root may do all. */
beforeEach(async () => {
  cluster = await reviewApi();
  for (const user of ['alice', 'root', 'viewer', 'nobody'])
    cluster.users.set(`${user}-token`, user);
  cluster.rights.add('alice list events/demo').add('root list events');
  cluster.rights.add('viewer list events').add('root list rules.auditing.kubesphere.io');
  cluster.rights.add('root update deadletters.auditing.kubesphere.io');
  const client = kubeClient(cluster.api.connection);
  await client.request({
    method: 'POST',
    path: '/api/v1/namespaces',
    body: { metadata: { name: 'demo' } },
    signal: new AbortController().signal,
  });
  client.close();
  directory = await mkdtemp(join(tmpdir(), 'api-access-'));
  const kubeconfig = join(directory, 'kubeconfig');
  await writeFile(
    kubeconfig,
    JSON.stringify({
      clusters: [{ name: 'c', cluster: { server: cluster.api.connection.server } }],
      users: [{ name: 'u', user: { token: 'ours' } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x',
    }),
  );
  api = new TestQueryApi();
  await api.serve({ mode: 'kubernetes', kubeconfig }, { host: '0.0.0.0' });
  api.url = api.url.replace('0.0.0.0', '127.0.0.1');
  api.archive.answers = [{ events: [SHOWN] }];
  api.archive.history = [ObjectHistoryResponse.fromPartial({ event: SHOWN })];
  api.archive.pieces = [Buffer.from('x')];
});

afterEach(async () => {
  await api.runtime.stop();
  await cluster.api.stop();
  await rm(directory, { recursive: true });
});

const key = SHOWN.key.toString('hex');
/** A question for each route, as it must be asked. */
const QUESTIONS = apiRoutes([])
  .filter(({ need }) => need !== 'open')
  .map(
    ({ path, need, method = 'GET' }) =>
      [
        method,
        path
          .replace(':key', key)
          .replace(':id', key)
          .replace(':cluster', 'host')
          .replace(/facets$/, 'facets?field=user')
          .replace(/history$/, 'history?resource=pods&name=a')
          .replace(/(redrive)$/, '$1?receiver=am'),
        need,
      ] as const,
  );

/** The status alone: a tail has no end. */
async function statusOf(path: string, user: string | undefined, method?: string): Promise<number> {
  const headers: Record<string, string> =
    user === undefined ? {} : { authorization: `Bearer ${user}-token` };
  const response = await api.open(path, headers, method);
  response.destroy();
  return response.statusCode ?? 0;
}

describe.each(QUESTIONS)('%s %s, which needs %s', (method, path, need) => {
  test('is answered to whom it may be', async () => {
    const unknown = path.startsWith('/kapis/') ? 403 : 401;
    expect(await statusOf(path, undefined, method)).toBe(unknown);
    expect(await statusOf(path, 'unknown', method)).toBe(401);
    expect(await statusOf(path, 'root', method)).toBe(200);
    expect(await statusOf(path, 'alice', method)).toBe(need === 'events' ? 200 : 403);
    const isOfEvents = need !== 'rules' && need !== 'dead letters';
    expect(await statusOf(path, 'viewer', method)).toBe(isOfEvents ? 200 : 403);
  });
});

const ABOUT_EVENTS = QUESTIONS.filter(
  ([, path, need]) => need === 'events' && !/\/events\/[0-9a-f]|\/alerts/.test(path),
).map(([, path]) => path);

test.each(ABOUT_EVENTS)('%s is asked within the scope of the caller', async (path) => {
  const separator = path.includes('?') ? '&' : '?';
  const conditions = path.startsWith('/kapis/')
    ? 'objectref_namespace_filter=kube-system'
    : 'workspace=other';
  await statusOf(`${path}${separator}${conditions}`, 'alice');
  const queries = [...api.archive.searches, ...api.archive.asked] as { query?: Query }[];
  expect(queries).not.toEqual([]);
  for (const { query } of queries) {
    expect(query?.scope?.namespaces).toMatchObject([{ name: 'demo' }]);
    expect(query?.scope?.workspaces).toEqual([]);
  }
});

test('an event of another namespace is one that does not exist', async () => {
  const hidden = typed(event('h', { objectRef: { resource: 'pods', namespace: 'kube-system' } }));
  const old = typed(event('o', { requestReceivedTimestamp: '2020-01-01T00:00:00Z' }));
  api.archive.answers = [{ events: [hidden, old] }];
  for (const { key: one } of [hidden, old]) {
    const path = `${OWN_API}/events/${one.toString('hex')}`;
    expect(await statusOf(path, 'alice')).toBe(404);
    expect(await statusOf(`${path}/raw`, 'alice')).toBe(404);
    expect(await statusOf(path, 'root')).toBe(200);
  }
});

test('who may see nothing gets an empty answer, as KubeSphere gives it', async () => {
  api.archive.answers = [{ total: 0n }];
  const answer = await api.get(KAPIS, { authorization: 'Bearer nobody-token' });
  expect(JSON.parse(answer.bytes.toString())).toEqual({ query: { total: 0, records: null } });
  expect(api.archive.searches[0]?.query?.scope).toEqual({ namespaces: [], workspaces: [] });
});

test('while the API server is away nobody is let in, and asked to come again', async () => {
  await cluster.api.stop();
  const answer = await api.get(KAPIS, { authorization: 'Bearer root-token' });
  expect(answer.status).toBe(503);
  expect(answer.headers['retry-after']).toBe('5');
});
