import { Match, Query } from '@auditing/proto/archive';
import { Field } from '@auditing/proto/event';

import { batchOf, DAY_ONE_US, eventBytes } from '../testing/batches';
import { never } from '../testing/engines';
import {
  connectTo,
  describeWithOpensearch,
  openOpensearch,
  ownPrefix,
  refresh,
  removeIndices,
} from '../testing/opensearch';

jest.setTimeout(300_000);

interface Answer {
  readonly hits: {
    readonly total: { readonly value: number };
    readonly hits: readonly { readonly _source: Record<string, unknown> }[];
  };
  readonly aggregations?: Record<
    string,
    { readonly value?: number; readonly buckets?: readonly { key: number; doc_count: number }[] }
  >;
}

const USERS = ['admin', 'alice', 'Alice-two', 'bob'];
const RESOURCES = ['pods', 'podtemplates', 'services'];
const CODES = [200, 201, 403];

// What KubeSphere 3 asks of its store, in its own shapes: phrases and wildcards on `.keyword`, phrase prefixes on analysed text,
// codes as terms, time as a range, cardinality of audit ids, a date histogram.
describeWithOpensearch("the queries of KubeSphere's console", () => {
  const prefix = ownPrefix();
  const engine = openOpensearch({ prefix });
  const direct = connectTo();
  const sketches = Array.from({ length: 60 }, (_, at) => ({
    // Two events of each request.
    auditId: `5f0d6d1e-5a5e-4c5b-9f1c-0d1f0c9a${String(Math.floor(at / 2)).padStart(4, '0')}`,
    atUs: at * 60e6,
    user: USERS[at % 4]!,
    resource: RESOURCES[at % 3]!,
    code: CODES[at % 3]!,
    namespace: at % 5 === 0 ? 'kube-system' : 'test',
    name: `web-${at}`,
    verb: at % 2 === 0 ? 'create' : 'delete',
    groups: ['system:authenticated', 'a,b'],
  }));

  beforeAll(async () => {
    await engine.append(await batchOf(sketches.map(eventBytes)), 0n);
    await refresh(direct, prefix);
  });

  afterAll(async () => {
    await engine.close();
    await direct.close();
    await removeIndices(prefix);
  });

  function ask(body: object): Promise<Answer> {
    return direct.request<Answer>(
      {
        method: 'POST',
        // Its indices are named by day.
        path: `/${prefix}-2026.01.01/_search`,
        parameters: { ignore_unavailable: true },
        body: { track_total_hits: true, size: 0, ...body },
      },
      never,
    );
  }

  async function countOf(filter: object): Promise<number> {
    return (await ask({ query: { bool: { filter: [filter] } } })).hits.total.value;
  }

  const count = (fits: (sketch: (typeof sketches)[number]) => boolean): number =>
    sketches.filter(fits).length;

  test.each<[string, object, number]>([
    [
      'a user, exactly',
      { match_phrase: { 'User.Username.keyword': 'alice' } },
      count(({ user }) => user === 'alice'),
    ],
    [
      'users that contain, in this case',
      { wildcard: { 'User.Username.keyword': '*lice*' } },
      count(({ user }) => user.includes('lice')),
    ],
    [
      'users in another case, which fit nothing',
      { wildcard: { 'User.Username.keyword': '*ADMIN*' } },
      0,
    ],
    [
      'a namespace, exactly',
      { match_phrase: { 'ObjectRef.Namespace.keyword': 'kube-system' } },
      count(({ namespace }) => namespace === 'kube-system'),
    ],
    [
      'a resource by its beginning',
      { match_phrase_prefix: { 'ObjectRef.Resource': { query: 'pod' } } },
      count(({ resource }) => resource.startsWith('pod')),
    ],
    [
      'a verb',
      { match_phrase: { 'Verb.keyword': 'delete' } },
      count(({ verb }) => verb === 'delete'),
    ],
    ['groups that contain', { wildcard: { 'User.Groups.keyword': '*authenticated,a*' } }, 60],
    ['a source IP', { wildcard: { 'SourceIPs.keyword': '*10.0.0*' } }, 60],
    ['codes', { terms: { 'ResponseStatus.code': [200, 403] } }, count(({ code }) => code !== 201)],
    [
      'times, both included',
      {
        range: {
          RequestReceivedTimestamp: {
            gte: new Date(DAY_ONE_US / 1000 + 10 * 60_000).toISOString(),
            lte: new Date(DAY_ONE_US / 1000 + 19 * 60_000).toISOString(),
          },
        },
      },
      10,
    ],
    ['a workspace that nobody is in', { match_phrase: { 'Workspace.keyword': 'none' } }, 0],
  ])('find %s', async (_, filter, expected) => {
    expect(await countOf(filter)).toBe(expected);
  });

  test('statistics and histogram count what our own do', async () => {
    const answer = await ask({
      aggs: {
        resources: { cardinality: { field: 'AuditID.keyword' } },
        times: { date_histogram: { field: 'RequestReceivedTimestamp', fixed_interval: '15m' } },
      },
    });
    expect(answer.hits.total.value).toBe(60);
    expect(answer.aggregations?.['resources']?.value).toBe(30);
    const ours = await engine.histogram({ query: Query.create(), intervalSeconds: 900 }, never);
    expect(
      answer.aggregations?.['times']?.buckets?.map(({ key, doc_count }) => [key, doc_count]),
    ).toEqual(
      ours.buckets.map((bucket) => [Number(bucket.start?.seconds) * 1000, Number(bucket.count)]),
    );
    expect(await engine.statistics(Query.create(), never)).toEqual({
      eventCount: 60n,
      requestCount: 30n,
    });
  });

  test('records come by time, as its detail view reads them', async () => {
    const { hits } = await ask({
      size: 2,
      from: 1,
      sort: [{ RequestReceivedTimestamp: { order: 'desc' } }],
    });
    expect(hits.hits.map(({ _source }) => _source['AuditID'])).toEqual(
      [58, 57].map((at) => sketches[at]?.auditId),
    );
    expect(hits.hits[0]?._source).toMatchObject({
      Level: 'Metadata',
      Message: '',
      ObjectRef: { Resource: 'podtemplates', Namespace: 'test', Name: 'web-58', Subresource: '' },
      RequestObject: '',
      RequestReceivedTimestamp: '2026-01-01T00:58:00.000000Z',
      ResponseStatus: { code: 201, metadata: {} },
      SourceIPs: '10.0.0.1',
      User: { Username: 'Alice-two', UID: '', Groups: 'system:authenticated,a,b' },
      Verb: 'create',
      Annotations: { note: '' },
    });
  });

  test('an element of a list is found by our own query though the console joins lists', async () => {
    const conditions = [
      { field: Field.GROUPS, match: Match.EXACT, values: ['a,b'], negate: false },
    ];
    expect((await engine.statistics(Query.create({ conditions }), never)).eventCount).toBe(60n);
  });
});
