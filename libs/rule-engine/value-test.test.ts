import type { JsonValue } from '@auditing/audit-event/event-fields';
import * as fc from 'fast-check';
import { compileGlob } from './glob';
import { parseAddress, parseIpRange } from './ip-range';
import { FALSE, MISMATCH, TRUE, type Outcome } from './outcome';
import { parseCondition } from './parse-condition';
import { compileRegularExpression } from './regular-expression';
import { compileValueTest, hasContent, type ValueTest } from './value-test';

/** The test of `field <rest>`. */
function testOf(rest: string): ValueTest {
  const { condition } = parseCondition(`field ${rest}`);
  const isTest = condition !== undefined && 'path' in condition && condition.kind !== 'exists';
  const compiled = isTest ? compileValueTest(condition) : undefined;
  if (typeof compiled !== 'function') throw new Error(`expected a test: ${rest}`);
  return compiled;
}

/** Rows for all orders between a value of a condition and one below, the same, and one above. */
function ordered(
  value: string | number,
  held: readonly JsonValue[],
): [string, JsonValue, Outcome][] {
  const rows: [string, readonly Outcome[]][] = [
    ['<', [TRUE, FALSE, FALSE]],
    ['<=', [TRUE, TRUE, FALSE]],
    ['>', [FALSE, FALSE, TRUE]],
    ['>=', [FALSE, TRUE, TRUE]],
  ];
  return rows.flatMap(([operator, outcomes]) =>
    held.map((each, i): [string, JsonValue, Outcome] => [
      `${operator} ${value}`,
      each,
      outcomes[i] ?? MISMATCH,
    ]),
  );
}

it.each<[string, JsonValue, Outcome]>([
  ['= 5', '5', TRUE],
  ['= 5', '5.0', TRUE],
  ['= 5', '5e0', TRUE],
  ['= 5', ' 5', MISMATCH],
  ['= 5', '', MISMATCH],
  ['= 5', true, MISMATCH],
  ['= 5', ['5'], MISMATCH],
  ['> 5', 'inf', TRUE],
  ['< 5', '-Infinity', TRUE],
  ['> 5', '1e999', MISMATCH],
  ['!= 5', 'NaN', TRUE],
  ['!= 5', 'xnan', MISMATCH],
  ['!= 5', 'nanx', MISMATCH],
  ['= 5', 6, FALSE],
  ['!= 5', 5, FALSE],
  ...ordered(5, [4, 5, 6]),
  ...ordered('"b"', ['a', 'b', 'c']),
  ['', true, TRUE],
  ['', 'False', FALSE],
  ['', 'no', MISMATCH],
  ['', {}, MISMATCH],
  ['', ['1'], MISMATCH],
  ['contains "a*"', 'ab', FALSE],
  ['contains "a*"', 'a*b', TRUE],
  ['regex "^x+y$"', `${'x'.repeat(512)}y`, TRUE],
  ['regex "^x+y$"', `${'x'.repeat(512)}z`, FALSE],
  ['not regex "^x+y$"', `${'x'.repeat(512)}y`, FALSE],
  ['= true', 1, TRUE],
  ['= true', 't', TRUE],
  ['= false', 'F', TRUE],
  ['!= false', '0', FALSE],
  ['= true', 'false', FALSE],
  ['= false', true, FALSE],
  ['!= true', false, TRUE],
  ['= true', 'yes', MISMATCH],
  ['= true', [true], MISMATCH],
  ['= "[a b]"', ['a', 'b'], TRUE],
  ['< "b"', 'a', TRUE],
  ['in (30, "x")', 30, TRUE],
  ['in (30.0)', 30, FALSE],
  ['not in ("a")', 'b', TRUE],
  ['contains 7', 175, TRUE],
  ['not contains "a"', null, TRUE],
  ['ipInCidr "10.0.0.0/8"', '10.255.0.1', TRUE],
  ['ipInCidr ("10.0.0.0/8", "fc00::/7")', 'fd12::1', TRUE],
  ['not ipInCidr "10.0.0.0/8"', '11.0.0.1', TRUE],
  ['ipInCidr "10.0.0.0/8"', '::ffff:10.0.0.8', TRUE],
  ['not ipInCidr "10.0.0.0/8"', 'elsewhere', MISMATCH],
])('%s of %j gives %i', (rest, value, expected) => {
  const test = testOf(rest);
  expect(test(value)).toBe(expected);
  expect(test(value)).toBe(expected);
});

it.each([
  'regex "^(?!x)"',
  'regex "("',
  'regex "(a)\\1"',
  'ipInCidr "10.0.0.0/33"',
  'ipInCidr "x"',
])('refuses %s with the reason', (rest) => expect(() => testOf(rest)).toThrow());

it.each([
  [null, false],
  [{}, false],
  [{ a: { b: null } }, false],
  [{ a: { b: '' } }, true],
  [[], true],
  [false, true],
])('takes %j for existing: %s', (value, expected) => {
  expect(hasContent(value)).toBe(expected);
});

describe('like', () => {
  /** The slow and obvious way: `.` and `.*` of a regular expression. */
  const obvious = (pattern: string): RegExp =>
    new RegExp(
      Array.from(pattern, (c) =>
        c === '*' ? '.*' : c === '?' ? '.' : c.replace(/[\\^$.|+()[\]{}]/, '\\$&'),
      ).join(''),
      'su',
    );

  it('finds what a regular expression of the same meaning finds', () => {
    const letters = fc.string({
      unit: fc.constantFrom('a', 'b', '.', '😀', '*', '?'),
      maxLength: 8,
    });
    fc.assert(
      fc.property(letters, letters, (pattern, text) => {
        expect(compileGlob(pattern)(text)).toBe(obvious(pattern).test(text));
      }),
    );
  });

  it.each([
    ['', '', true],
    ['*', '', true],
    ['?', '', false],
    ['a?', 'a', false],
    ['a?', 'ba', false],
    ['a?c', 'a\uffffc', true],
    ['a?c', 'a😀c', true],
    ['a??c', 'a😀c', false],
    ['a*b', 'ab', true],
    ['a*b', 'ba', false],
    ['aa*a', 'aa', false],
    ['a?*b', 'acb', true],
  ])('%j in %j: %s', (pattern, text, expected) => {
    expect(compileGlob(pattern)(text)).toBe(expected);
  });

  it('takes no more than linear time: one that goes back would not end', () => {
    expect(compileGlob('*a?a*a?b*')('a'.repeat(200_000))).toBe(false);
  });
});

describe('regular expressions', () => {
  it.each(['^(a+)+$', '(a|a)*b', '(a*)*(b?)*$', '(?i)^(([a-z])+.)+[A-Z]([a-z])+$'])(
    'take linear time even for %s: one that goes back would not end',
    (pattern) => {
      const compiled = compileRegularExpression(pattern);
      if ('reason' in compiled) throw new Error(compiled.reason);
      const ask = (length: number): boolean => compiled.test(`${'a'.repeat(length)}!`);
      expect([ask(28), ask(20_000)]).toEqual([ask(3), ask(3)]);
    },
  );

  it('are refused when they are huge', () => {
    expect(compileRegularExpression('a'.repeat(4_096))).toHaveProperty('test');
    expect(compileRegularExpression('a'.repeat(4_097))).toEqual({
      reason: 'it has more than 4096 characters',
    });
    expect(compileRegularExpression('((a{100}){100}){100}')).toHaveProperty('reason');
  });
});

it('compiles a pattern once, however often it is asked for', () => {
  const pattern = '(a|b)+c';
  expect(compileRegularExpression(pattern)).toBe(compileRegularExpression(pattern));
});

it('says why a pattern is none, without the words that every reason has', () => {
  expect(compileRegularExpression('a(')).toEqual({ reason: 'missing closing ): `a(`' });
});

describe('ranges of addresses', () => {
  it.each([
    '10.0.0.0/33',
    '::/129',
    '10.0.0.0/',
    '10.0.0.0/x8',
    '10.0.0.0/8x',
    '10.0.0.0/8/8',
    'x/8',
  ])('%s is none', (text) => expect(parseIpRange(text)).toBeUndefined());
  it.each(['0.0.0.0/0', '10.0.0.1/32', '::/128', '1:2:3:4:5:6:7::/56'])('%s is one', (text) =>
    expect(parseIpRange(text)).toBeDefined(),
  );
});

describe('addresses', () => {
  it.each([
    '1.2.3',
    '1.2.3.256',
    '01.2.3.4',
    '',
    '1::2::3',
    ':::',
    '12345::',
    '1:2:3:4:5:6:7',
    '1.2.3.4::',
    'g::',
    '1:2.3.4.5:6::',
    '1.2.3.4:1::',
    '::1:2:3:4:5:6:7:8',
    '1:2:3:4:5:6:7:8::',
    '1:2:3:4:5:6:7:8:9',
  ])('%s is none', (text) => expect(parseAddress(text)).toBeUndefined());

  it.each([
    ['::1', '::1/128', true],
    ['1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7:8', true],
    ['fe80::1%eth0', 'fe80::/10', true],
    ['fec0::1', 'fe80::/10', false],
    ['192.168.1.130', '192.168.1.128/25', true],
    ['192.168.1.127', '192.168.1.128/25', false],
    ['64:ff9b::1.2.3.4', '64:ff9b::/96', true],
    ['10.0.0.1', '::/0', true],
    ['::1', '0.0.0.0/0', false],
    ['10.0.0.8', '10.0.0.8', true],
    ['10.0.0.9', '10.0.0.8', false],
    ['10.0.0.9', '10.0.0.8/31', true],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0', true],
    ['1:2:3:4:5:6:1.2.3.4', '1:2:3:4:5:6:102:304', true],
  ])('%s in %s: %s', (address, range, expected) => {
    const bytes = parseAddress(address);
    expect(bytes && parseIpRange(range)?.has(bytes)).toBe(expected);
  });
});
