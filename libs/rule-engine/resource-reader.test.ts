import { Priority } from '@auditing/proto/event';
import { Report } from './report';
import { ObjectReader } from './resource-reader';
import type { Resource } from './rule-set';

/** What reading the field `key` of an object at `spec` gives, and what is reported. */
function read<T>(value: Resource, get: (reader: ObjectReader) => T): [T, ...string[]] {
  const report = new Report('Rule/r');
  const found = get(ObjectReader.of({ key: value }, 'spec', report));
  return [found, ...report.diagnostics.map(({ path, message }) => `${path}: ${message}`)];
}

it.each<[Resource, string, ...string[]]>([
  ['a', 'a'],
  [null, ''],
  [5, '5'],
  [false, 'false'],
  [[], '', 'spec.key: expected a text, found a list'],
  [{}, '', 'spec.key: expected a text, found an object'],
])('reads %j as a text', (value, ...expected) => {
  expect(read(value, (reader) => reader.text('key'))).toEqual(expected);
});

it.each<[Resource, boolean | undefined, ...string[]]>([
  [true, true],
  [false, false],
  [null, undefined],
  ['true', true, 'spec.key: expected true or false without quotes; taken as true'],
  [' False ', false, 'spec.key: expected true or false without quotes; taken as false'],
  ['yes', undefined, 'spec.key: expected true or false, found `yes`; taken as missing'],
  [1, undefined, 'spec.key: expected true or false, found `1`; taken as missing'],
  [[true], undefined, 'spec.key: expected true or false, found a list; taken as missing'],
  [{}, undefined, 'spec.key: expected true or false, found an object; taken as missing'],
])('reads %j as a boolean', (value, ...expected) => {
  expect(read(value, (reader) => reader.flag('key'))).toEqual(expected);
});

it.each<[Resource, Resource, ...string[]]>([
  [['a'], ['a']],
  [null, []],
  ['a', [], 'spec.key: expected a list, found `a`'],
  [{}, [], 'spec.key: expected a list, found an object'],
])('reads %j as a list', (value, ...expected) => {
  expect(read(value, (reader) => reader.list('key'))).toEqual(expected);
});

it.each<[Resource, readonly string[], ...string[]]>([
  [{ a: 1, b: null }, ['a', 'b']],
  [null, []],
  [[1], [], 'spec.key: expected an object, found a list'],
  ['x'.repeat(100), [], `spec.key: expected an object, found \`${'x'.repeat(80)}\``],
])('reads %j as an object', (value, ...expected) => {
  expect(read(value, (reader) => reader.child('key').keys())).toEqual(expected);
});

it.each<[Resource, Priority, ...string[]]>([
  ['WARNING', Priority.WARNING],
  [' info ', Priority.INFO],
  ['Debug', Priority.DEBUG],
  [' ', Priority.UNSPECIFIED],
  [null, Priority.UNSPECIFIED],
  ['HIGH', Priority.UNSPECIFIED, 'spec.key: expected DEBUG, INFO or WARNING, found `HIGH`'],
])('reads %j as a priority', (value, ...expected) => {
  expect(read(value, (reader) => reader.priority('key'))).toEqual(expected);
});

it('takes null for missing, and nothing that objects inherit', () => {
  const reader = ObjectReader.of({ a: null, b: 0 }, '', new Report(''));
  expect(['a', 'b', 'toString', '__proto__'].map((key) => reader.has(key))).toEqual([
    false,
    true,
    false,
    false,
  ]);
  expect([reader.value('a'), reader.value('b')]).toEqual([undefined, 0]);
  expect(reader.at('b')).toBe('b');
});

it('reports a field that nobody reads', () => {
  expect(read(1, (reader) => reader.allowOnly(['a', 'b']))).toEqual([
    undefined,
    'spec.key: expected a, b, found `key`',
  ]);
  expect(read(1, (reader) => reader.allowOnly(['a', 'key']))).toEqual([undefined]);
});
