import { eventKey } from '@auditing/audit-event/event-key';
import {
  ExportFormat,
  Match,
  ObjectHistoryResponse,
  ObjectVersion,
  Order,
  Proof,
  VerifyResponse,
  type Condition,
} from '@auditing/proto/archive';
import { Field } from '@auditing/proto/event';
import { RpcError } from '@auditing/service/rpc-error';
import { status } from '@grpc/grpc-js';
import { OWN_API } from './own-api';
import { EVENT_PARAMETERS } from './own-query';
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
      values: 1,
    });
    expect((await api.ask(`${OWN_API}/facets?field=colour`)).status).toBe(400);
  });

  test('lists rules', async () => {
    expect((await api.ask(`${OWN_API}/rules`)).body).toMatchObject({
      rules: [{ name: 'a.b', priority: 'info', matchCount: 3 }],
    });
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

describe('answers that are streams', () => {
  const read = async (path: string, headers: Record<string, string> = {}) =>
    (await api.get(`${OWN_API}${path}`, headers)).bytes.toString();

  test('a tail says where each event is, and goes on from there', async () => {
    const [a, b] = [typed(event('a')), typed(event('b'))];
    api.archive.answers = [
      {
        events: [
          { ...a, resumeToken: 't1' },
          { ...b, resumeToken: 't2' },
        ],
      },
    ];
    const response = await api.open(`${OWN_API}/tail?verb=get&resumeToken=t0`);
    let text = '';
    for await (const chunk of response) {
      text += String(chunk);
      if (text.includes('"b"')) break;
    }
    expect(text).toMatch(/^id: t1\ndata: \{.*"auditId":"a".*\}\n\nid: t2\ndata: /m);
    expect(text).not.toContain('resumeToken');
    expect(api.archive.asked.at(-1)).toMatchObject({ resumeToken: 't0' });
    (await api.open(`${OWN_API}/tail?resumeToken=t0`, { 'last-event-id': 't2' })).destroy();
    await eventually('the second is asked', () => api.archive.asked.length === 2);
    expect(api.archive.asked.at(-1)).toMatchObject({ resumeToken: 't2' });
  });

  test('what is wrong with a tail is its last event', async () => {
    api.archive.failure = new RpcError(status.INVALID_ARGUMENT, 'resume_token: no archive gave it');
    expect(await read('/tail?resumeToken=x')).toMatch(
      /event: problem\ndata: \{"error":"resume_token: no archive gave it","status":400\}\n\n$/,
    );
  });

  test.each([
    ['ndjson', 'application/x-ndjson', ExportFormat.NDJSON],
    ['csv', 'text/csv; charset=utf-8', ExportFormat.CSV],
    ['parquet', 'application/vnd.apache.parquet', ExportFormat.PARQUET],
  ])('an export as %s is a file', async (format, type, expected) => {
    api.archive.pieces = [Buffer.from('one'), Buffer.alloc(0), Buffer.from('\xfftwo', 'latin1')];
    const answer = await api.get(`${OWN_API}/export?format=${format}&user=admin&limit=5`);
    expect(answer.headers).toMatchObject({
      'content-type': type,
      'content-disposition': `attachment; filename="audit-events.${format}"`,
    });
    expect(answer.bytes.toString('latin1')).toBe('one\xfftwo');
    expect(api.archive.asked).toMatchObject([
      { format: expected, limit: 5n, query: { conditions: [{ values: ['admin'] }] } },
    ]);
  });

  test('an export that cannot begin is an error, not an empty file', async () => {
    api.archive.failure = new RpcError(status.FAILED_PRECONDITION, 'Parquet is not installed');
    expect(await api.ask(`${OWN_API}/export?format=parquet`)).toEqual({
      status: 400,
      body: { error: 'Parquet is not installed' },
    });
    expect((await api.ask(`${OWN_API}/export?format=xlsx`)).status).toBe(400);
  });

  test('the history of an object has what each event changed', async () => {
    const changes = [{ path: '/spec/replicas', before: '1', after: '2' }];
    api.archive.history = [
      ObjectHistoryResponse.fromPartial({
        event: typed(event('a')),
        version: ObjectVersion.RESPONSE,
        previousKey: Buffer.alloc(32, 1),
        changes,
      }),
      ObjectHistoryResponse.fromPartial({ nextCursor: 'next' }),
    ];
    const path = `${OWN_API}/objects/history?apiGroup=apps&resource=deployments&namespace=demo&name=web`;
    expect((await api.ask(`${path}&writesOnly=true&user=admin`)).body).toMatchObject({
      history: [
        { event: { auditId: 'a' }, version: 'response', previousKey: '01'.repeat(32), changes },
      ],
      nextCursor: 'next',
    });
    expect(api.archive.asked).toMatchObject([
      {
        apiGroup: 'apps',
        resource: 'deployments',
        namespace: 'demo',
        name: 'web',
        writesOnly: true,
        limit: 1000,
        query: { conditions: [{ field: Field.USER }] },
      },
    ]);
    const nameless = await api.ask(`${OWN_API}/objects/history?resource=pods`);
    expect(nameless).toMatchObject({ status: 400, body: { parameter: 'name', example: 'web' } });
  });

  test('a check of the archive tells how far it is, and what it found', async () => {
    api.archive.verified = [
      VerifyResponse.fromPartial({ progress: { checkedBytes: 5n, totalBytes: 9n } }),
      VerifyResponse.fromPartial({
        result: { proof: Proof.CHECKPOINT, statement: 'sound', problems: [{ segment: 1n }] },
      }),
    ];
    const text = await read('/archive/verify?checkpoint=a&checkpoint=b');
    expect(text).toContain('event: progress\ndata: {"checkedBytes":5,"totalBytes":9');
    expect(text).toMatch(/event: result\ndata: \{"proof":"checkpoint",.*"statement":"sound"/);
    expect(api.archive.asked).toEqual([{ checkpoints: ['a', 'b'], publicKey: '' }]);
  });

  test('the archive says what it holds', async () => {
    expect((await api.ask(`${OWN_API}/archive`)).body).toMatchObject({
      engine: 'embedded',
      eventCount: 7,
      newestEvent: '1970-01-01T00:00:01.000000Z',
    });
  });
});

/** So many different conditions, the last one on the verb. */
function conditions(count: number): string {
  const names = EVENT_PARAMETERS.map(({ name }) => name).filter(
    (name) => !['start', 'end', 'text', 'verb!^'].includes(name),
  );
  return [...names.slice(0, count - 1), 'verb!^'].map((name) => `${name}=a`).join('&');
}

test.each([
  ['limit=0', 'limit', 'a whole number from 1 to 10000'],
  ['limit=10001', 'limit', 'a whole number from 1 to 10000'],
  ['limit=1e3', 'limit', 'a whole number from 1 to 10000'],
  ['limit=1&limit=2', 'limit', 'one value'],
  ['order=up', 'order', 'one of newest, oldest'],
  ['raw=1', 'raw', 'true or false'],
  ['start=yesterday', 'start', 'seconds since 1970, or a time as of RFC 3339'],
  ['end=1e9', 'end', 'seconds since 1970, or a time as of RFC 3339'],
  ['verb!!=get', 'verb!!', 'one of source'],
  ['__proto__=x', '__proto__', 'one of source'],
  [`user=${'x'.repeat(4_097)}`, 'user', 'at most 4096 characters'],
  [`text=${'x'.repeat(4_097)}`, 'text', 'at most 4096 characters'],
  // What a fuzzer found: the archive refused it, and named no parameter.
  [conditions(65), 'verb!^', 'at most 64 conditions'],
])('%s is answered with what was expected and an example', async (query, parameter, expected) => {
  const { status: code, body } = await api.ask(`${OWN_API}/events?${query}`);
  expect(code).toBe(400);
  expect(body).toMatchObject({
    parameter,
    expected: expect.stringContaining(expected) as string,
    example: expect.any(String) as string,
    error: expect.any(String) as string,
  });
});
