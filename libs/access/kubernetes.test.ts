import { kubeClient } from '@auditing/kubernetes/kube-client';
import type { Scope } from '@auditing/proto/archive';
import { RpcError } from '@auditing/service/rpc-error';
import { status } from '@grpc/grpc-js';
import { accessBy, type Access } from './access';
import type { Need } from './needs';
import { kubernetesReviews, REMEMBER_MS } from './reviews';
import { accessConfig } from './testing/access-config';
import { reviewApi, type ReviewApi } from './testing/review-api';

let cluster: ReviewApi;
let access: Access;
let now = 0;
const stopping = new AbortController();

beforeEach(async () => {
  cluster = await reviewApi();
  for (const [token, user] of [
    ['a-token', 'alice'],
    ['b-token', 'bob'],
    ['r-token', 'root'],
  ] as const) {
    cluster.users.set(token, user);
  }
  cluster.rights.add('root list events');
  for (const name of ['shop', 'pay', 'kube-system']) create('/v1', 'namespaces', name);
  now = 0;
  access = open('');
});

afterEach(() => cluster.api.stop());

function open(eventsGroup: string): Access {
  const client = kubeClient(cluster.api.connection);
  const reviews = kubernetesReviews({ client, now: () => now, stopping: stopping.signal });
  const config = accessConfig({ mode: 'kubernetes', eventsGroup });
  return accessBy({ config, reviews, hasCertificates: true });
}

/** All objects of this test were created at one moment. */
function create(version: string, plural: string, name: string): void {
  const place = { collection: `${version.slice(1)}/${plural}`, namespace: undefined, name };
  const at = { ...place, subresource: undefined };
  cluster.api.store.create(at, { metadata: { name } });
  cluster.api.store.get(at).metadata['creationTimestamp'] = CREATED;
}

const CREATED = '2026-01-01T00:00:01Z';
const since = { seconds: BigInt(Date.parse(CREATED) / 1_000), nanos: 0 };
const entry = (name: string) => ({ name, since });

const ask = (token: string | undefined, need: Need = 'events') =>
  access(need, { token, names: [] });
const scopeFor = async (token: string): Promise<Scope | undefined> => (await ask(token)).scope;

async function refusal(asked: Promise<unknown>): Promise<RpcError> {
  const error: unknown = await asked.catch((reason: unknown) => reason);
  if (error instanceof RpcError) return error;
  throw new Error('expected an RpcError', { cause: error });
}

test('who may list events in the cluster sees all', async () => {
  expect(await scopeFor('r-token')).toBeUndefined();
  expect(cluster.count('/namespaces')).toBe(0);
});

test('others see the namespaces in which they may, since these were created', async () => {
  cluster.rights.add('alice list events/shop').add('alice list events/kube-system');
  expect(await scopeFor('a-token')).toEqual({
    namespaces: [entry('kube-system'), entry('shop')],
    workspaces: [],
  });
  expect(await scopeFor('b-token')).toEqual({ namespaces: [], workspaces: [] });
});

test('and the workspaces, where there are any', async () => {
  create('/tenant.kubesphere.io/v1alpha1', 'workspaces', 'team');
  create('/tenant.kubesphere.io/v1alpha1', 'workspaces', 'other');
  cluster.rights.add('bob list workspaces.tenant.kubesphere.io:team/events');
  expect(await scopeFor('b-token')).toEqual({ namespaces: [], workspaces: [entry('team')] });
});

test('a cluster without the kind Workspace has none', async () => {
  cluster.rights.add('alice list events/shop');
  const { onRequest } = cluster.api;
  cluster.api.onRequest = (request) =>
    request.path.includes('tenant.kubesphere.io')
      ? { code: 404, body: { kind: 'Status', code: 404, reason: 'NotFound', message: 'no kind' } }
      : onRequest(request);
  expect(await scopeFor('a-token')).toEqual({ namespaces: [entry('shop')], workspaces: [] });
});

test('more namespaces than a page holds are all looked at', async () => {
  for (let index = 0; index < 600; index += 1) create('/v1', 'namespaces', `n${index}`);
  cluster.rights.add('alice list events/n599').add('alice list events/n0');
  expect((await scopeFor('a-token'))?.namespaces).toEqual([entry('n0'), entry('n599')]);
});

test('the right can be one on the resource of another group', async () => {
  access = open('query.auditing.kubesphere.io');
  cluster.rights.add('alice list events/shop');
  cluster.rights.add('alice list events.query.auditing.kubesphere.io/pay');
  expect((await scopeFor('a-token'))?.namespaces).toEqual([entry('pay')]);
});

test('what was asked once is remembered for ten seconds, and then asked anew', async () => {
  cluster.rights.add('alice list events/shop');
  await Promise.all([ask('a-token'), ask('a-token')]);
  await ask('a-token');
  const asked = cluster.api.requests.length;
  expect(cluster.count('/tokenreviews')).toBe(1);
  cluster.rights.delete('alice list events/shop');
  cluster.users.delete('a-token');
  now = REMEMBER_MS - 1;
  expect((await scopeFor('a-token'))?.namespaces).toEqual([entry('shop')]);
  expect(cluster.api.requests).toHaveLength(asked);
  now = REMEMBER_MS;
  expect((await refusal(ask('a-token'))).code).toBe(status.UNAUTHENTICATED);
});

test('all events and rules take a right of their own', async () => {
  cluster.rights.add('alice list events/shop');
  const all = await refusal(ask('a-token', 'all events'));
  expect(all.code).toBe(status.PERMISSION_DENIED);
  expect(all.message).toContain('"alice" may not: it takes the right to list events in the whole');
  const rules = await refusal(ask('a-token', 'rules'));
  expect(rules.message).toContain('list rules.auditing.kubesphere.io');
  cluster.rights.add('alice list rules.auditing.kubesphere.io');
  now += REMEMBER_MS + 1;
  expect(await ask('a-token', 'rules')).toEqual({ scope: undefined });
  expect(await ask('r-token', 'all events')).toEqual({ scope: undefined });
});

test('who sees all dead letters may not change them: that takes a right of its own', async () => {
  const refused = await refusal(ask('r-token', 'dead letters'));
  expect(refused.code).toBe(status.PERMISSION_DENIED);
  expect(refused.message).toContain('update deadletters.auditing.kubesphere.io');
  cluster.rights.add('alice update deadletters.auditing.kubesphere.io');
  expect(await ask('a-token', 'dead letters')).toEqual({ scope: undefined });
});

test('no token and an unknown one are refused', async () => {
  const none = await refusal(ask(undefined));
  expect(none.code).toBe(status.UNAUTHENTICATED);
  expect(none.message).toContain('kubectl create token');
  expect((await refusal(ask('guess'))).message).toContain('does not know this token');
  expect((await refusal(ask('r-token', 'gateway'))).code).toBe(status.UNAUTHENTICATED);
});

test('an API server that is away is no refusal, and is asked again at once', async () => {
  await cluster.api.stop();
  const away = await refusal(ask('r-token'));
  expect(away.code).toBe(status.UNAVAILABLE);
  expect(away.message).toContain('could not be asked who you are');
  await cluster.api.start();
  expect(await scopeFor('r-token')).toBeUndefined();
});

test('the rule service may ask how receivers fare, and nothing else', async () => {
  const rule = { names: ['auditing-rule'], token: undefined };
  expect(await access('all events or rule', rule)).toEqual({ scope: undefined });
  for (const need of [
    'gateway',
    'gateway or alert',
    'events',
    'all events',
    'rules',
    'dead letters',
  ] as const)
    await expect(access(need, rule)).rejects.toThrow();
  // For people it is what all events need.
  const refused = await refusal(ask('a-token', 'all events or rule'));
  expect(refused).toEqual(await refusal(ask('a-token', 'all events')));
  expect(await ask('r-token', 'all events or rule')).toEqual({ scope: undefined });
});
