import { Match } from '@auditing/proto/archive';
import { Field } from '@auditing/proto/event';

import { compileCondition, containsPattern } from './compile-condition';

test.each([
  ['ab', 'xabx', true],
  ['AB', 'xabx', false],
  ['a*c', 'xxabbbcx', true],
  ['a*c*a', 'abca', true],
  ['a*a', 'a', false],
  ['a?c', 'abc', true],
  ['a?c', 'ac', false],
  ['?', '', false],
  ['?', '😀', true],
  ['a?b', 'a😀b', true],
  ['a??b', 'a😀b', false],
  ['', '', true],
  ['*', '', true],
  ['a.c', 'abc', false],
  ['?b*d', 'abcd', true],
])('%j in %j: %s', (pattern, value, expected) => {
  expect(containsPattern(pattern)(value)).toBe(expected);
});

test('a pattern made to take for ever does not', () => {
  const startedAt = performance.now();
  const fits = containsPattern(`${'a*'.repeat(2000)}b`);
  expect(fits('a'.repeat(100_000))).toBe(false);
  // Milliseconds; tried in every way, it would take longer than anybody lives.
  expect(performance.now() - startedAt).toBeLessThan(60_000);
});

test('an event without the field fits where empty text does', () => {
  const condition = { field: Field.NAMESPACE, match: Match.EXACT, values: [''], negate: false };
  const groups = { ...condition, field: Field.GROUPS };
  const [namespace, group] = [condition, groups].map(compileCondition);
  expect(namespace?.fits('')).toBe(true);
  expect(namespace?.fits('default')).toBe(false);
  expect(group?.fits('[]')).toBe(true);
  expect(group?.fits('["a"]')).toBe(false);
});
