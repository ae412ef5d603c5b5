import { jsonDiff } from './json-diff';

const none = new Set<string>();

test('what is gone, new or different is told with its path', () => {
  const before = { a: 1, b: { c: [1, 2], 'd/e~': true }, same: null };
  const after = { a: '1', b: { c: [1, 3, 4], f: {} }, same: null };
  expect(jsonDiff(before, after, none).changes).toEqual([
    { path: '/a', before: '1', after: '"1"' },
    { path: '/b/c/1', before: '2', after: '3' },
    { path: '/b/c/2', before: '', after: '4' },
    { path: '/b/d~1e~0', before: 'true', after: '' },
    { path: '/b/f', before: '', after: '{}' },
  ]);
});

test('elements with names are matched by them', () => {
  const a = { name: 'a', v: 1 };
  expect(jsonDiff([a], [{ name: 'new' }, a], none).changes).toEqual([
    { path: '/name=new', before: '', after: '{"name":"new"}' },
  ]);
  expect(jsonDiff([a, a], [a], none).changes).toHaveLength(1);
});

test('hostile keys and depths are compared like others', () => {
  const deep = (value: unknown): never =>
    JSON.parse(`${'{"x":'.repeat(3000)}${JSON.stringify(value)}${'}'.repeat(3000)}`) as never;
  expect(jsonDiff(deep(1), deep(2), none).changes).toHaveLength(1);
  expect(jsonDiff(JSON.parse('{"__proto__":1}') as never, {}, none).changes).toEqual([
    { path: '/__proto__', before: '1', after: '' },
  ]);
  expect(jsonDiff({}, { toString: 1 }, none).changes).toHaveLength(1);
});

test('many changes are counted, long values cut', () => {
  const list = Array.from({ length: 1500 }, (_, index) => index);
  expect(jsonDiff([], list, none)).toMatchObject({ omittedCount: 500 });
  const [change] = jsonDiff('', 'x'.repeat(10_000), none).changes;
  expect(change?.after).toHaveLength(4096);
});

test('ignored paths are left out', () => {
  expect(jsonDiff({ a: { b: 1 } }, { a: { b: 2 } }, new Set(['/a/b'])).changes).toEqual([]);
});
