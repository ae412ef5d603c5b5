import { kubeClient } from './kube-client';
import { whileLeading, type LeaseTimes } from './lease';
import { fakeKubeApi, type FakeKubeApi } from './testing/fake-kube-api';
import { until } from './testing/until';

const TIMES: LeaseTimes = { durationMs: 1_000, renewDeadlineMs: 500, retryMs: 30 };
/** For what must not depend on how busy the machine is. */
const LONG: LeaseTimes = { durationMs: 60_000, renewDeadlineMs: 30_000, retryMs: 30 };
const place = {
  collection: 'coordination.k8s.io/v1/leases',
  namespace: 'here',
  name: 'one',
  subresource: undefined,
};

let api: FakeKubeApi;
let leading: string[];
let told: string[];
let errors: unknown[];
let stops: AbortController[];
let ends: Promise<void>[];

beforeEach(async () => {
  api = await fakeKubeApi();
  leading = [];
  told = [];
  errors = [];
  stops = [];
  ends = [];
});

afterEach(async () => {
  api.onRequest = () => undefined;
  for (const stop of stops) stop.abort();
  await Promise.all(ends);
  await api.stop();
});

function replica(identity: string, times = TIMES): { stop: AbortController; done: Promise<void> } {
  const stop = new AbortController();
  stops.push(stop);
  const done = whileLeading(
    {
      client: kubeClient(api.connection),
      ...{ namespace: 'here', name: 'one', identity, times },
      onError: (error) => errors.push(error),
      onLeading: (isLeading) => {
        told.push(`${identity} ${isLeading}`);
        leading = isLeading ? [...leading, identity] : leading.filter((one) => one !== identity);
      },
    },
    (signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve())),
    stop.signal,
  );
  ends.push(done);
  return { stop, done };
}

const holder = (): unknown =>
  (api.store.get(place).spec as { holderIdentity: string }).holderIdentity;

test('one of several leads, and the next one as soon as it leaves', async () => {
  const first = replica('a', LONG);
  await until(() => leading.length === 1);
  replica('b', LONG);
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

test('of several that write a free Lease at once, one leads: the others are refused as conflicts', async () => {
  api.store.create(place, { metadata: { name: 'one' }, spec: { holderIdentity: '' } });
  const rivals = ['a', 'b', 'c'];
  let writeCount = 0;
  let release = (): void => undefined;
  const allRead = new Promise<undefined>((resolve) => {
    release = () => resolve(undefined);
  });
  // Every one has read the Lease as free before any of them writes.
  api.onRequest = ({ method }) => {
    if (method !== 'PUT') return undefined;
    writeCount += 1;
    if (writeCount === rivals.length) release();
    return allRead;
  };
  for (const identity of rivals) replica(identity, LONG);
  await until(() => writeCount >= rivals.length && leading.length > 0);
  const renewals = writeCount + 3;
  await until(() => writeCount >= renewals);
  // Nobody else led, not even until it read the Lease again.
  expect(told).toEqual([`${String(holder())} true`]);
  expect(api.store.get(place).spec).toMatchObject({ leaseTransitions: 1 });
  expect(errors).toEqual([]);
});

test('a conflict at a renewal does not end the lead', async () => {
  replica('a', LONG);
  await until(() => leading.length === 1);
  let refused = 0;
  api.onRequest = ({ method }) => {
    if (method !== 'PUT' || refused > 0) return undefined;
    refused += 1;
    return { code: 409, body: { code: 409, reason: 'Conflict', message: 'it was modified' } };
  };
  await until(() => refused === 1);
  const before = api.store.get(place).metadata.resourceVersion;
  await until(() => api.store.get(place).metadata.resourceVersion !== before);
  expect([leading, told, errors]).toEqual([['a'], ['a true'], []]);
});

test('who cannot renew stops leading before another may lead', async () => {
  const times = { ...LONG, renewDeadlineMs: 500 };
  replica('a', times);
  await until(() => leading.length === 1);
  const renewed = performance.now();
  api.onRequest = () => ({ code: 500, body: { code: 500, message: 'etcd is gone' } });
  await until(() => leading.length === 0);
  expect(performance.now() - renewed).toBeLessThan(times.durationMs);
  api.onRequest = () => undefined;
  await until(() => leading.length === 1);
});

test('a Lease that somebody else took ends the lead', async () => {
  replica('a', LONG);
  await until(() => leading.length === 1);
  const { metadata, spec } = api.store.get(place);
  api.store.replace(place, {
    metadata: { ...metadata, resourceVersion: undefined },
    spec: { ...(spec as object), holderIdentity: 'thief' },
  });
  await until(() => leading.length === 0);
  expect(holder()).toBe('thief');
});
