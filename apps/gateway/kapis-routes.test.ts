import { Match, Order, type Condition } from '@auditing/proto/archive';
import { Field } from '@auditing/proto/event';
import { event, hubEvent } from './testing/gateway';
import { KAPIS, TestQueryApi, typed } from './testing/query-api';

let api: TestQueryApi;

beforeEach(async () => {
  api = new TestQueryApi();
  await api.serve();
});

afterEach(() => api.runtime.stop());

describe('the API of KubeSphere', () => {
  test('a query gives the documents and how many there are in all', async () => {
    api.archive.answers = [
      { events: [typed(event('a'))] },
      { events: [typed(hubEvent('b'))], total: 12n },
    ];
    const { body } = await api.ask(KAPIS);
    expect(body).toMatchObject({
      query: {
        total: 12,
        records: [
          { AuditID: 'a', Verb: 'get', ObjectRef: { Resource: 'pods', Namespace: 'demo' } },
          { AuditID: 'b', Verb: 'create', Workspace: 'demo-ws' },
        ],
      },
    });
    expect(api.archive.searches[0]).toMatchObject({
      limit: 10,
      offset: 0,
      order: Order.NEWEST_FIRST,
      countTotal: true,
      includeRaw: true,
    });
  });

  test('records are null if there are none', async () => {
    api.archive.answers = [{ total: 0n }];
    expect((await api.ask(KAPIS)).body).toEqual({ query: { total: 0, records: null } });
  });

  test('size 0 asks for the number alone', async () => {
    expect((await api.ask(`${KAPIS}?size=0`)).body).toEqual({ query: { total: 7, records: null } });
    expect(api.archive.searches).toHaveLength(0);
  });

  test('statistics counts requests and events', async () => {
    expect((await api.ask(`${KAPIS}?operation=statistics`)).body).toEqual({
      statistics: { resources: 5, events: 7 },
    });
  });

  test('a histogram has times in milliseconds', async () => {
    const { body } = await api.ask(`${KAPIS}?operation=histogram&interval=1M`);
    expect(body).toEqual({
      histogram: {
        total: 6,
        buckets: [
          { time: Date.parse('2024-01-01T00:00:00Z'), count: 1 },
          { time: Date.parse('2024-02-01T00:00:00Z'), count: 5 },
        ],
      },
    });
    expect(api.archive.asked[0]).toMatchObject({ intervalSeconds: 86_400 });
  });

  test('an operation that is not known is a query, numbers that cannot be read are the defaults', async () => {
    await api.ask(`${KAPIS}?operation=export&from=x&size=-1&sort=up`);
    expect(api.archive.searches[0]).toMatchObject({
      offset: 0,
      limit: 10,
      order: Order.NEWEST_FIRST,
    });
  });

  test('a time that cannot be read is refused with what was expected and an example', async () => {
    const { status: code, body } = await api.ask(`${KAPIS}?start_time=yesterday`);
    expect(code).toBe(400);
    expect(body).toEqual({
      error: 'start_time: expected seconds since 1970, or a time as of RFC 3339, got "yesterday"',
      parameter: 'start_time',
      expected: 'seconds since 1970, or a time as of RFC 3339',
      example: '1714557600 or 2024-05-01T10:00:00Z',
    });
  });

  test.each([KAPIS, '/kapis/logging.kubesphere.io/v1alpha2/auditing'])(
    '%s is there for a cluster by name too',
    async (path) => {
      await api.ask(path.replace('/kapis/', '/kapis/clusters/member-1/'));
      expect(api.archive.searches[0]?.query?.conditions).toEqual<Condition[]>([
        { field: Field.CLUSTER, match: Match.EXACT, values: ['member-1'], negate: false },
      ]);
      expect((await api.ask(path)).status).toBe(200);
    },
  );
});
