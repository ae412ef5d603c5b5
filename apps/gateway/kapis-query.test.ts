import { Match, Order } from '@auditing/proto/archive';
import { Field } from '@auditing/proto/event';
import { OPERATIONS_V3, readKapisQuery } from './kapis-query';
import { readTime } from './read-time';

const read = (query: string) => readKapisQuery(new URLSearchParams(query), OPERATIONS_V3);

test.each([
  ['workspace_filter', Field.WORKSPACE, Match.EXACT],
  ['workspace_search', Field.WORKSPACE, Match.CONTAINS],
  ['objectref_namespace_filter', Field.NAMESPACE, Match.EXACT],
  ['objectref_namespace_search', Field.NAMESPACE, Match.CONTAINS],
  ['objectref_name_filter', Field.NAME, Match.EXACT],
  ['objectref_name_search', Field.NAME, Match.CONTAINS],
  ['objectref_resource_filter', Field.RESOURCE, Match.PREFIX],
  ['objectref_subresource_filter', Field.SUBRESOURCE, Match.PREFIX],
  ['level_filter', Field.LEVEL, Match.EXACT],
  ['user_filter', Field.USER, Match.EXACT],
  ['user_search', Field.USER, Match.CONTAINS],
  ['group_search', Field.GROUPS, Match.CONTAINS],
  ['source_ip_search', Field.SOURCE_IPS, Match.CONTAINS],
  ['response_status_filter', Field.STATUS, Match.EXACT],
  ['cluster', Field.CLUSTER, Match.EXACT],
])('%s: alternatives separated by commas', (parameter, field, match) => {
  expect(read(`${parameter}=Abc,%20x*y`).query.conditions).toEqual([
    { field, match, values: ['Abc', 'x*y'], negate: false },
  ]);
});

test('verbs are in lower case, as they are archived', () => {
  expect(read('verb_filter=Create,DELETE').query.conditions[0]?.values).toEqual([
    'create',
    'delete',
  ]);
});

test('codes that are none are ignored', () => {
  expect(read('response_code_filter=200,abc,0404').query.conditions[0]?.values).toEqual([
    '200',
    '404',
  ]);
  expect(read('response_code_filter=abc').query.conditions).toEqual([]);
});

test('empty parameters ask for nothing', () => {
  expect(read('user_filter=&verb_filter=,&start_time=&size=').query).toEqual({
    start: undefined,
    end: undefined,
    conditions: [],
    text: '',
  });
});

test('asc sorts oldest first', () => {
  expect(read('sort=asc').order).toBe(Order.OLDEST_FIRST);
  expect(read('sort=desc').order).toBe(Order.NEWEST_FIRST);
});

test('paging beyond what the archive does is refused, not cut', () => {
  expect(() => read('size=10001')).toThrow('up to 10000');
  expect(() => read('from=1000001')).toThrow('up to 1000000');
});

test('an interval matters to a histogram alone', () => {
  expect(() => read('operation=histogram&interval=soon')).toThrow('interval: expected');
  expect(read('interval=soon').interval).toEqual({ unit: 'seconds', count: 900 });
});

test.each([
  ['1714557600', 1714557600n, 0],
  ['2024-05-01T10:00:00Z', 1714557600n, 0],
  ['2024-05-01T18:00:00.123456+08:00', 1714557600n, 123_456_000],
  ['1969-12-31T23:59:59.5Z', -1n, 500_000_000],
])('the time %s', (text, seconds, nanos) => {
  expect(readTime('start_time', text)).toEqual({ seconds, nanos });
});

test.each(['', 'now', '2024-05-01', '2024-13-01T00:00:00Z', '1e9', '-5', '17145576000000'])(
  'the time %j is refused',
  (text) => {
    expect(() => readTime('start_time', text)).toThrow('start_time: expected');
  },
);
