import { eventKey } from '@auditing/audit-event/event-key';
import { Match, Order, type Condition } from '@auditing/proto/archive';
import { Field } from '@auditing/proto/event';
import { OWN_API } from './own-routes';
import { event, eventually } from './testing/gateway';
import { KAPIS, TestQueryApi, typed } from './testing/query-api';

let api: TestQueryApi;

beforeEach(async () => {
  api = new TestQueryApi();
  await api.serve();
});

afterEach(() => api.runtime.stop());

describe('our own API', () => {
  test('finds events by their fields', async () => {
    api.archive.answers = [{ events: [typed(event('a'))], nextCursor: 'next' }];
    const { body } = await api.ask(
      `${OWN_API}/events?verb=get&verb=list&user~=adm*&code!=200&resource^=po&limit=5&order=oldest`,
    );
    expect(body).toMatchObject({
      events: [
        {
          key: eventKey(Buffer.from(event('a'))).toString('hex'),
          auditId: 'a',
          source: 'kubernetes',
          requestReceivedTimestamp: '2026-05-01T10:00:00.123456Z',
        },
      ],
      nextCursor: 'next',
    });
    expect(body).not.toHaveProperty('events.0.raw');
    const [search] = api.archive.searches;
    expect(search).toMatchObject({ limit: 5, order: Order.OLDEST_FIRST, includeRaw: false });
    expect(search?.query?.conditions).toEqual<Condition[]>([
      { field: Field.VERB, match: Match.EXACT, values: ['get', 'list'], negate: false },
      { field: Field.USER, match: Match.CONTAINS, values: ['adm*'], negate: false },
      { field: Field.CODE, match: Match.EXACT, values: ['200'], negate: true },
      { field: Field.RESOURCE, match: Match.PREFIX, values: ['po'], negate: false },
    ]);
  });

  test('an empty answer is an empty list', async () => {
    expect((await api.ask(`${OWN_API}/events`)).body).toEqual({ events: [] });
  });

  test('a misspelt parameter is refused, because it would widen the answer', async () => {
    const { status: code, body } = await api.ask(`${OWN_API}/events?nmespace=kube-system`);
    expect(code).toBe(400);
    expect(body).toMatchObject({
      error: expect.stringContaining('did you mean namespace?') as string,
    });
  });

  test('gives one event by its key, and its very bytes', async () => {
    const hostile = Buffer.from('{"auditID":"<script>alert(1)</script>","x":"\xff"}', 'latin1');
    api.archive.answers = [{ events: [typed(hostile)] }];
    const key = eventKey(hostile).toString('hex');
    expect((await api.ask(`${OWN_API}/events/${key}`)).body).toMatchObject({ key });
    const raw = await api.get(`${OWN_API}/events/${key}/raw`);
    expect(raw.bytes).toEqual(hostile);
    expect(raw.headers).toMatchObject({
      'content-type': 'application/octet-stream',
      'x-content-type-options': 'nosniff',
    });
  });

  test('an unknown key is 404, a key that is none 400', async () => {
    expect((await api.ask(`${OWN_API}/events/${'0'.repeat(64)}`)).status).toBe(404);
    expect((await api.ask(`${OWN_API}/events/nope`)).status).toBe(400);
  });

  test('counts: statistics, histogram, facets', async () => {
    expect((await api.ask(`${OWN_API}/statistics?verb=get`)).body).toEqual({
      events: 7,
      requests: 5,
    });
    expect((await api.ask(`${OWN_API}/histogram?interval=1d`)).body).toMatchObject({
      total: 6,
      buckets: [{ start: '2024-01-31T00:00:00.000Z', count: 1 }, {}, {}],
    });
    expect((await api.ask(`${OWN_API}/facets?field=user`)).body).toEqual({
      facets: [{ value: 'admin', count: 3 }],
    });
    expect((await api.ask(`${OWN_API}/facets?field=colour`)).status).toBe(400);
  });

  test('lists rules and alerts', async () => {
    expect((await api.ask(`${OWN_API}/rules`)).body).toMatchObject({
      rules: [{ name: 'a.b', priority: 'info', matchCount: 3 }],
    });
    expect((await api.ask(`${OWN_API}/alerts?rule=a.b&limit=2`)).body).toMatchObject({
      alerts: [
        {
          rule: 'a.b',
          priority: 'warning',
          deliveries: [{ receiver: 'am', state: 'delivered' }],
          event: { auditId: 'a' },
        },
      ],
    });
    expect(api.archive.asked).toContainEqual({ rule: 'a.b', limit: 2 });
  });

  test('tails as server-sent events until the client goes away', async () => {
    api.archive.answers = [{ events: [typed(event('a')), typed(event('b'))] }];
    const response = await api.open(`${OWN_API}/tail`);
    expect(response.headers['content-type']).toMatch(/^text\/event-stream/);
    let text = '';
    // Leaving the loop closes the connection.
    for await (const chunk of response) {
      text += String(chunk);
      if (text.includes('"b"')) break;
    }
    expect(text.match(/^data: \{.*\}$/gm)).toHaveLength(2);
    await eventually('the archive is told', () => api.archive.ended);
  });

  test('the index says what there is', async () => {
    expect((await api.ask('/')).body).toMatchObject({
      paths: expect.arrayContaining([KAPIS, `${OWN_API}/events`]) as string[],
    });
  });
});
