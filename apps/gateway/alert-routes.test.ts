import { AlertKind, DeliveryState } from '@auditing/proto/alert';
import { OWN_API } from './own-api';
import { TestQueryApi } from './testing/query-api';

const GROUP = 'ab'.repeat(32);
const SHOWN = {
  id: '01'.repeat(32),
  kind: 'update',
  group: '02'.repeat(32),
  rule: 'a.b',
  priority: 'warning',
  message: 'm',
  raisedAt: '1970-01-01T00:00:01.000000Z',
  summary: {
    count: 250,
    firstSeen: '1970-01-01T00:00:01.000000Z',
    outcome: '403 Forbidden',
    auditIds: ['a'],
    eventKeys: ['03'.repeat(32)],
  },
  deliveries: [
    {
      receiver: 'am',
      state: 'delivered',
      deliveredAt: '1970-01-01T00:00:02.000000Z',
      digested: true,
      digest: '04'.repeat(32),
      silencedBy: ['s1'],
      inhibitedBy: [],
    },
  ],
  event: { auditId: 'a' },
};

let api: TestQueryApi;

beforeEach(async () => {
  api = new TestQueryApi();
  await api.serve();
});

afterEach(() => api.runtime.stop());

test('alerts are listed by every filter, with digest, group and silences in words', async () => {
  const filters =
    `rule=a.b&user=admin&namespace=demo&resource=pods&name=web&state=dead&receiver=am&kind=digest` +
    `&group=${GROUP}&start=1&end=1970-01-01T00:00:02Z&limit=2&cursor=9`;
  const { body } = await api.ask(`${OWN_API}/alerts?${filters}`);
  expect(body).toMatchObject({ alerts: [SHOWN], nextCursor: '12' });
  expect(api.archive.asked).toEqual([
    {
      rule: 'a.b',
      user: 'admin',
      namespace: 'demo',
      resource: 'pods',
      name: 'web',
      state: DeliveryState.DEAD,
      receiver: 'am',
      kinds: [AlertKind.DIGEST],
      group: Buffer.from(GROUP, 'hex'),
      start: { seconds: 1n, nanos: 0 },
      end: { seconds: 2n, nanos: 0 },
      limit: 2,
      cursor: '9',
    },
  ]);
});

test('without filters all but heartbeats are asked for', async () => {
  await api.ask(`${OWN_API}/alerts`);
  expect(api.archive.asked).toMatchObject([
    { kinds: [], state: DeliveryState.UNSPECIFIED, limit: 100, cursor: '' },
  ]);
});

test.each(['state=lost', 'kind=none', 'group=xyz', 'end=soon', 'users=admin'])(
  'alerts by %s are refused',
  async (filter) => {
    const { status, body } = await api.ask(`${OWN_API}/alerts?${filter}`);
    expect(status).toBe(400);
    expect(body).toMatchObject({ parameter: filter.split('=')[0] });
  },
);

test('one alert is given by its id; an id that is none is 400', async () => {
  expect((await api.ask(`${OWN_API}/alerts/${SHOWN.id}`)).body).toMatchObject(SHOWN);
  expect((await api.ask(`${OWN_API}/alerts/nope`)).status).toBe(400);
});

test('deliveries that were given up are listed with their alerts', async () => {
  const { body } = await api.ask(`${OWN_API}/alerts/dead-letters?receiver=am&rule=a.b&limit=3`);
  expect(body).toMatchObject({
    count: 7,
    deadLetters: [
      { deadAt: '1970-01-01T00:00:03.000000Z', delivery: SHOWN.deliveries[0], alert: SHOWN },
    ],
  });
  expect(api.archive.asked).toEqual([{ receiver: 'am', rule: 'a.b', limit: 3, cursor: '' }]);
});

test('those are sent anew or deleted by their ids, or all of a receiver', async () => {
  const [a, b] = ['a'.repeat(64), 'b'.repeat(64)];
  const redriven = await api.does(
    'POST',
    `${OWN_API}/alerts/dead-letters/redrive?id=${a}&id=${b}&receiver=am`,
  );
  expect(redriven).toEqual({ status: 200, body: { redriven: 2 } });
  const deleted = await api.does('DELETE', `${OWN_API}/alerts/dead-letters?id=${a}`);
  expect(deleted).toEqual({ status: 200, body: { deleted: 3 } });
  expect(api.archive.asked).toEqual([
    { selection: { ids: [a, b], receiver: 'am' } },
    { selection: { ids: [a], receiver: '' } },
  ]);
  const bad = await api.does('DELETE', `${OWN_API}/alerts/dead-letters?id=x`);
  expect(bad).toMatchObject({ status: 400, body: { parameter: 'id' } });
  const other = await api.does('DELETE', `${OWN_API}/alerts/dead-letters?recever=am`);
  expect(other.status).toBe(400);
  expect(api.archive.asked).toHaveLength(2);
});

test('receivers are listed with their instances', async () => {
  expect((await api.ask(`${OWN_API}/receivers`)).body).toMatchObject({
    receivers: [
      {
        name: 'am',
        pendingCount: 5,
        oldestPending: '1970-01-01T00:00:01.000000Z',
        instances: [{ address: 'http://am:9093', available: true, owedCount: 2, refusedCount: 0 }],
      },
    ],
  });
});
