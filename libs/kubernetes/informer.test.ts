import { informer, type Informer, type InformerState } from './informer';
import { kubeClient } from './kube-client';
import type { KubeObject, ResourceType } from './kube-object';
import { fakeKubeApi, type FakeKubeApi } from './testing/fake-kube-api';
import type { Place } from './testing/fake-kube-store';
import { until } from './testing/until';

const THINGS: ResourceType = { apiVersion: 'example.org/v1', kind: 'Thing', plural: 'things' };
const place: Place = {
  collection: 'example.org/v1/things',
  namespace: 'one',
  name: undefined,
  subresource: undefined,
};

let api: FakeKubeApi;
let stop: AbortController;
let changes: string[];
let states: InformerState[];

beforeEach(async () => {
  api = await fakeKubeApi();
  stop = new AbortController();
  changes = [];
  states = [];
});

afterEach(async () => {
  stop.abort();
  await api.stop();
});

function add(name: string): void {
  api.store.create(place, { metadata: { name }, spec: { size: 1 } });
}

async function watching(): Promise<Informer<KubeObject>> {
  const things = informer<KubeObject>(
    {
      client: kubeClient(api.connection),
      type: THINGS,
      onChange: (key) => changes.push(key),
      onState: (state) => states.push(state),
    },
    stop.signal,
  );
  await things.synced;
  await until(() => api.watchCount() === 1);
  return things;
}

const listCount = (): number =>
  api.requests.filter(({ query }) => query.get('watch') === null).length;

test('it lists all pages, then hears of each change', async () => {
  for (let i = 0; i < 1_200; i += 1) add(`n${i}`);
  const things = await watching();
  expect(things.objects().size).toBe(1_200);
  expect(listCount()).toBe(3);
  changes = [];
  add('new');
  api.store.replace(
    { ...place, name: 'n5' },
    { metadata: { name: 'n5', namespace: 'one' }, spec: { size: 2 } },
  );
  api.store.delete({ ...place, name: 'n6' });
  await until(() => changes.length === 3);
  expect(changes).toEqual(['one/new', 'one/n5', 'one/n6']);
  expect(things.objects().get('one/n5')).toMatchObject({ spec: { size: 2 } });
  expect(things.objects().has('one/n6')).toBe(false);
});

test('a stream that breaks in the middle of a line is resumed without a list, and nothing is missed', async () => {
  const things = await watching();
  add('before');
  await until(() => things.objects().has('one/before'));
  api.breakWatches();
  add('meanwhile');
  await until(() => things.objects().has('one/meanwhile'));
  expect(listCount()).toBe(1);
  expect(changes).toEqual(['one/before', 'one/meanwhile']);
});

test('bookmarks move on where a broken stream is resumed', async () => {
  await watching();
  api.tellWatches({ type: 'BOOKMARK', object: { metadata: { resourceVersion: '77' } } });
  api.breakWatches();
  await until(() => api.requests.at(-1)?.query.get('resourceVersion') === '77');
});

test.each(['as the answer', 'inside the stream'])(
  'a history that is gone, said %s, is listed anew, and only differences are told',
  async (how) => {
    add('same');
    add('gone');
    const things = await watching();
    changes = [];
    await api.stop();
    add('new');
    api.store.delete({ ...place, name: 'gone' });
    api.forget();
    await api.start();
    if (how === 'inside the stream') {
      let isFirst = true;
      api.onRequest = ({ query }) => {
        if (query.get('watch') !== 'true' || !isFirst) return undefined;
        isFirst = false;
        return { code: 200, body: { type: 'ERROR', object: { code: 410, reason: 'Expired' } } };
      };
    }
    await until(() => changes.length >= 2);
    expect([...changes].sort()).toEqual(['one/gone', 'one/new']);
    expect([...things.objects().keys()]).toEqual(['one/new', 'one/same']);
  },
);

test('an API server that is away at the start and restarts later is followed, and both are told once', async () => {
  await api.stop();
  const things = informer<KubeObject>(
    { client: kubeClient(api.connection), type: THINGS, onState: (state) => states.push(state) },
    stop.signal,
  );
  await until(() => states.length === 1);
  add('first');
  await api.start();
  await things.synced;
  expect(things.objects().size).toBe(1);
  await until(() => api.watchCount() === 1);
  await api.stop();
  await until(() => states.length === 3);
  add('second');
  await api.start();
  await until(() => things.objects().size === 2);
  expect(states.map(({ isUp }) => isUp)).toEqual([false, true, false, true]);
});

test('refusals are waited out', async () => {
  let refusals = 0;
  api.onRequest = () => {
    refusals += 1;
    return refusals < 4 ? { code: 403, body: { code: 403, message: 'no rights yet' } } : undefined;
  };
  await watching();
  expect(states).toMatchObject([
    {
      isUp: false,
      error: { code: 403, message: 'GET /apis/example.org/v1/things: no rights yet' },
    },
    { isUp: true },
  ]);
});

test('a list that is slow is waited for, once, and a change meanwhile is told once', async () => {
  for (let i = 0; i < 600; i += 1) add(`n${i}`);
  let release = (): void => undefined;
  const released = new Promise<undefined>((resolve) => {
    release = () => resolve(undefined);
  });
  let isHeld = false;
  // The second page: half of the list is there.
  api.onRequest = ({ query }) => {
    if (query.get('continue') === null) return undefined;
    isHeld = true;
    return released;
  };
  const things = informer<KubeObject>(
    {
      client: kubeClient(api.connection),
      type: THINGS,
      onChange: (key) => changes.push(key),
    },
    stop.signal,
  );
  await until(() => isHeld);
  expect([things.objects().size, changes.length, listCount()]).toEqual([0, 0, 2]);
  // Sorts after all others, so that the page that comes has it.
  add('z');
  release();
  await things.synced;
  await until(() => api.watchCount() === 1);
  add('zz');
  await until(() => changes.includes('one/zz'));
  expect(listCount()).toBe(2);
  expect(things.objects().size).toBe(602);
  expect(changes.length).toBe(new Set(changes).size);
});

test('a watch that is slow to begin is not asked for twice, and tells what came meanwhile once', async () => {
  let release = (): void => undefined;
  const released = new Promise<undefined>((resolve) => {
    release = () => resolve(undefined);
  });
  const watchRequests = (): number =>
    api.requests.filter(({ query }) => query.get('watch') === 'true').length;
  api.onRequest = ({ query }) => (query.get('watch') === 'true' ? released : undefined);
  const things = informer<KubeObject>(
    {
      client: kubeClient(api.connection),
      type: THINGS,
      onChange: (key) => changes.push(key),
    },
    stop.signal,
  );
  await things.synced;
  await until(() => watchRequests() === 1);
  add('meanwhile');
  release();
  await until(() => things.objects().has('one/meanwhile'));
  add('after');
  await until(() => things.objects().has('one/after'));
  expect([listCount(), watchRequests(), api.watchCount()]).toEqual([1, 1, 1]);
  expect(changes).toEqual(['one/meanwhile', 'one/after']);
});

test('a list that never answers ends with its signal', async () => {
  api.onRequest = () => new Promise<undefined>(() => undefined);
  const things = informer({ client: kubeClient(api.connection), type: THINGS }, stop.signal);
  await until(() => api.requests.length === 1);
  stop.abort();
  await expect(things.synced).rejects.toThrow('given up');
});

test('an error inside a stream is followed by a list', async () => {
  const things = await watching();
  const before = listCount();
  api.tellWatches({ type: 'ERROR', object: { code: 500, message: 'etcd is gone' } });
  add('after');
  await until(() => things.objects().has('one/after'));
  expect(listCount()).toBe(before + 1);
});

test('it ends with its signal, and one that was never in sync says so', async () => {
  await api.stop();
  const things = informer({ client: kubeClient(api.connection), type: THINGS }, stop.signal);
  stop.abort();
  await expect(things.synced).rejects.toThrow('given up');
});
