import { Order } from '@auditing/proto/archive';
import { OPERATIONS_V3, OPERATIONS_V4, readKapisQuery } from './kapis-query';
import { event, hubEvent } from './testing/gateway';
import { KAPIS, TestQueryApi, typed } from './testing/query-api';

const V4 = '/kapis/logging.kubesphere.io/v1alpha2/auditing';
let api: TestQueryApi;

beforeEach(async () => {
  api = new TestQueryApi();
  await api.serve();
});

afterEach(() => api.runtime.stop());

test('KubeSphere 4 exports the records one a line, as a file, page after page', async () => {
  api.archive.answers = [{ events: [typed(event('a')), typed(hubEvent('b'))] }];
  const { headers, bytes } = await api.get(`${V4}?operation=export&sort=asc&user_filter=admin`);
  expect(headers).toMatchObject({
    'content-type': expect.stringMatching(/^text\/plain/) as string,
    'content-disposition': 'attachment; filename="auditing.txt"',
  });
  const lines = bytes.toString().trim().split('\n');
  expect(lines.map((line) => (JSON.parse(line) as { AuditID: string }).AuditID)).toEqual([
    'a',
    'b',
  ]);
  expect(api.archive.searches).toMatchObject([
    { order: Order.OLDEST_FIRST, cursor: '', includeRaw: true, countTotal: false },
  ]);
});

test('an export goes on where a page ended, and ends by itself', async () => {
  api.archive.answers = [{ events: [typed(event('a'))], nextCursor: 'more' }];
  const response = await api.open(`${V4}?operation=export`);
  let count = 0;
  for await (const chunk of response) count += String(chunk).split('\n').length - 1;
  // 100,000 records are 100 pages; each of this test has one record.
  expect(count).toBe(100);
  expect(api.archive.searches.slice(1).every(({ cursor }) => cursor === 'more')).toBe(true);
});

test('an export of nothing is an empty file', async () => {
  expect(await api.get(`${V4}?operation=export`)).toMatchObject({
    status: 200,
    bytes: Buffer.alloc(0),
  });
});

test.each([
  ['query', OPERATIONS_V3, 'query'],
  ['statistics', OPERATIONS_V3, 'statistics'],
  ['histogram', OPERATIONS_V3, 'histogram'],
  ['export', OPERATIONS_V3, 'query'],
  ['export', OPERATIONS_V4, 'export'],
  ['Query', OPERATIONS_V4, 'query'],
  ['STATISTICS', OPERATIONS_V4, 'query'],
  ['', OPERATIONS_V4, 'query'],
])('the operation %j is, of %j, %s', (word, operations, expected) => {
  const parameters = new URLSearchParams({ operation: word });
  expect(readKapisQuery(parameters, operations).operation).toBe(expected);
});

test.each([
  ['sort=asc', { order: Order.OLDEST_FIRST }],
  ['sort=ASC', { order: Order.NEWEST_FIRST }],
  ['sort=up', { order: Order.NEWEST_FIRST }],
  ['', { order: Order.NEWEST_FIRST, limit: 10, offset: 0 }],
  ['from=20&size=5', { offset: 20, limit: 5 }],
  ['from=-1&size=-1', { offset: 0, limit: 10 }],
  ['from=1.5&size=ten', { offset: 0, limit: 10 }],
  ['from=&size=', { offset: 0, limit: 10 }],
  ['from=%200&size=0x5', { offset: 0, limit: 10 }],
  ['from=1&from=2&size=3&size=4', { offset: 1, limit: 3 }],
  ['nonsense=1&constructor=2', { offset: 0, limit: 10 }],
])('%j falls back without a word, as the original does', async (query, expected) => {
  expect((await api.get(`${KAPIS}?${query}`)).status).toBe(200);
  expect(api.archive.searches).toMatchObject([expected]);
});

test('parameters all hold, values of one are alternatives, times are included', async () => {
  await api.ask(
    `${KAPIS}?user_search=ad*n,?ob&objectref_namespace_filter=a,b&workspace_search=w&response_code_filter=403,x,409` +
      '&start_time=1714557600&end_time=1714557601&cluster=host',
  );
  expect(api.archive.searches[0]?.query).toMatchObject({
    start: { seconds: 1714557600n, nanos: 0 },
    end: { seconds: 1714557601n, nanos: 0 },
    conditions: [
      { values: ['w'] },
      { values: ['a', 'b'] },
      { values: ['ad*n', '?ob'] },
      { values: ['403', '409'] },
      { values: ['host'] },
    ],
  });
});

test.each([
  ['1s', 1],
  ['90s', 90],
  ['15m', 900],
  ['2h', 7_200],
  ['1d', 86_400],
  ['1w', 86_400],
  ['1M', 86_400],
  ['1q', 86_400],
  ['1y', 86_400],
])('a histogram by %s asks the archive for %i seconds', async (interval, seconds) => {
  expect((await api.ask(`${KAPIS}?operation=histogram&interval=${interval}`)).status).toBe(200);
  expect(api.archive.asked).toMatchObject([{ intervalSeconds: seconds }]);
});

test.each(['0m', '-1h', 'm', '5', '1D', '1.5h', '1 m'])(
  'an interval of %j is refused with an example',
  async (interval) => {
    const path = `${KAPIS}?operation=histogram&interval=${encodeURIComponent(interval)}`;
    expect(await api.ask(path)).toMatchObject({
      status: 400,
      body: { parameter: 'interval', example: '15m' },
    });
  },
);
