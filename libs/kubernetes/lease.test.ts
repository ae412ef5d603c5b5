import { kubeClient } from './kube-client';
import { whileLeading, type LeaseTimes } from './lease';
import { fakeKubeApi, type FakeKubeApi } from './testing/fake-kube-api';
import { until } from './testing/until';

const TIMES: LeaseTimes = { durationMs: 1_000, renewDeadlineMs: 500, retryMs: 30 };
const place = {
  collection: 'coordination.k8s.io/v1/leases',
  namespace: 'here',
  name: 'one',
  subresource: undefined,
};

let api: FakeKubeApi;
let leading: string[];
let stops: AbortController[];

beforeEach(async () => {
  api = await fakeKubeApi();
  leading = [];
  stops = [];
});

afterEach(async () => {
  for (const stop of stops) stop.abort();
  await api.stop();
});

function replica(identity: string): { stop: AbortController; done: Promise<void> } {
  const stop = new AbortController();
  stops.push(stop);
  const done = whileLeading(
    {
      client: kubeClient(api.connection),
      ...{ namespace: 'here', name: 'one', identity, times: TIMES },
      onLeading: (isLeading) => {
        leading = isLeading ? [...leading, identity] : leading.filter((one) => one !== identity);
      },
    },
    (signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve())),
    stop.signal,
  );
  return { stop, done };
}

const holder = (): unknown =>
  (api.store.get(place).spec as { holderIdentity: string }).holderIdentity;

test('one of several leads, and the next one as soon as it leaves', async () => {
  const first = replica('a');
  await until(() => leading.length === 1);
  replica('b');
  await until(() => api.requests.length > 10);
  expect(leading).toEqual(['a']);
  first.stop.abort();
  await first.done;
  await until(() => leading.includes('b'));
  expect(leading).toEqual(['b']);
  expect(holder()).toBe('b');
  expect(api.store.get(place).spec).toMatchObject({ leaseTransitions: 1 });
});

test('a lead whose holder died is taken over when it has run out, not before', async () => {
  api.store.create(place, { metadata: { name: 'one' }, spec: { holderIdentity: 'dead' } });
  const begun = performance.now();
  replica('b');
  await until(() => leading.includes('b'));
  expect(performance.now() - begun).toBeGreaterThanOrEqual(TIMES.durationMs);
});

test('who cannot renew stops leading before another may lead', async () => {
  replica('a');
  await until(() => leading.length === 1);
  const renewed = performance.now();
  api.onRequest = () => ({ code: 500, body: { code: 500, message: 'etcd is gone' } });
  await until(() => leading.length === 0);
  expect(performance.now() - renewed).toBeLessThan(TIMES.durationMs);
  api.onRequest = () => undefined;
  await until(() => leading.length === 1);
});

test('a Lease that somebody else took ends the lead', async () => {
  replica('a');
  await until(() => leading.length === 1);
  const { metadata, spec } = api.store.get(place);
  api.store.replace(place, {
    metadata: { ...metadata, resourceVersion: undefined },
    spec: { ...(spec as object), holderIdentity: 'thief' },
  });
  await until(() => leading.length === 0);
  expect(holder()).toBe('thief');
});
