import { Severity } from '@auditing/proto/rule';
import { parseCondition } from './parse-condition';
import { printCondition } from './print-condition';
import { locate } from './problem';

const FIELD = 'expected a field such as Verb, `(` or `not`';
const TEXT = 'expected a text in double quotes or a number';
const VALUE = 'expected a text in double quotes, a number or `true` or `false`';
const OPERATOR =
  'expected an operator such as = != < > in contains like regex exists, `not`, `and` or `or`';
const FIELDS = 'texts stand in double quotes; no field is compared with another';

/** The first problem of a text as people see it. */
function problemOf(text: string): string {
  const [problem] = parseCondition(text).problems;
  if (problem === undefined) return '';
  const { line, column, message, excerpt } = locate(text, problem);
  return `${line}:${column} ${message}\n${excerpt}`;
}

describe('a text that is no condition', () => {
  it('is refused with line, column, what was expected, and the line with a caret', () => {
    expect(problemOf('Verb = "create"\n  and Level "x"')).toBe(
      [
        '2:13 expected an operator such as = != < > in contains like regex exists, `not`, `and` or `or`, found `"x"`',
        '  and Level "x"',
        '            ^',
      ].join('\n'),
    );
  });

  it.each([
    ["Verb = 'create'", 'texts stand in double quotes'],
    ['Verb = "create', 'this text is not closed'],
    ['(Verb = "create"', 'expected `)`, `and` or `or`, found the end'],
    ['a[-1] = 1', 'an index is [*], [n] or [start:end]'],
    ['a..b = 1', 'one dot between its parts'],
    ['a = .5', 'a number starts with a digit'],
    ['a & b', 'write `and`, `or`, `&&` or `||`'],
    ['a in (b)', 'a list such as ${name}'],
    ['a in ${l}.b', 'a list such as ${name}'],
    ['a[3:2] = 1', 'ends before it starts'],
    ['a[99999999999] = 1', 'an index is at most'],
    ['a not = 1', 'expected `in`, `contains`, `like`, `regex` or `exists`'],
    ['$x', 'a reference is ${name}'],
    ['${ }', 'expected the name of a macro, list or alias in `${name}`, found blanks alone'],
    ['a in ${\u00a0}', 'expected the name of a macro, list or alias in `${name}`'],
    ['', 'expected a field'],
    ['a = 1;', 'not closed by anything'],
    ['a = ${x}', 'a reference stands for a condition, a field, or a list behind `in`'],
    ['a = b', 'found `b`: texts stand in double quotes; no field is compared with another'],
    ['a > true', 'found `true`: texts stand in double quotes'],
    ['a regex 4', 'found `4`: texts stand in double quotes'],
    ['a = “b”', 'texts stand in straight double quotes'],
    ['a in ["b"]', 'a list stands in parentheses'],
    [
      'a in "b"',
      'expected a list such as ${name} or `(`, found `"b"`: a list stands in parentheses',
    ],
    ['a in ()', 'expected a list such as ${name}, a text in double quotes or a number, found `)`'],
    ['a = 1 And b', 'a keyword stands in lower case, `and`, or in upper case'],
    ['a Contains "b"', 'a keyword stands in lower case, `contains`, or in upper case'],
    ['exists a', 'a field stands before `exists`'],
    ['a = 1 and or b', 'a condition stands before `or`'],
    ['a not = 1', 'found `=`: write `!=`'],
    ['a <> 1', 'found `>`: write `!=`'],
    ['a is 1', 'write `=`'],
    ['a ne 1', 'write `!=`'],
    ['a startsWith "b"', 'write `regex "^…"`'],
    ['a matches "b"', 'write `regex`'],
    ['a = null', 'asked by `exists` and `not exists`'],
    ['a = 1 # b', 'no comments'],
    ['a = 1 // b', 'no comments'],
    ['a.b/c = 1', 'a key with a slash stands in double quotes'],
    ['a[b] = 1', 'a key in brackets stands in double quotes'],
    ["a['b'] = 1", 'a key in brackets stands in double quotes'],
    ['a > 4e2', 'a number is digits'],
    ['a > 1_000', 'a number is digits'],
    ['a > +5', 'a number is digits'],
    ['a\u00a0= 1', 'this blank is not an ordinary one'],
    ['a < and', 'expected a text in double quotes or a number, found `and`'],
  ])('says what helps: %s', (text, hint) => {
    expect(parseCondition(text).condition).toBeUndefined();
    expect(problemOf(text)).toContain(hint);
  });

  it.each([
    ['AND a = 1', `1:1 ${FIELD}, found \`AND\`: a condition stands before \`AND\``],
    ['a = 1 or\n  or b', `2:3 ${FIELD}, found \`or\`: a condition stands before \`or\``],
    ['a = 1 AND', `1:10 ${FIELD}, found the end`],
    ['a =   ', `1:7 ${VALUE}, found the end`],
    ['a = and', `1:5 ${VALUE}, found \`and\`: ${FIELDS}`],
    ['a = b ${x}', `1:5 ${VALUE}, found \`b\`: ${FIELDS}`],
    ['a = b +5', `1:5 ${VALUE}, found \`b\`: ${FIELDS}`],
    ['a1 = b', `1:6 ${VALUE}, found \`b\`: ${FIELDS}`],
    ['a = ~b', `1:5 ${VALUE}, found \`~\``],
    ['a > true', `1:5 ${TEXT}, found \`true\`: texts stand in double quotes`],
    ['a <b', `1:4 ${TEXT}, found \`b\`: ${FIELDS}`],
    ['a < = 1', `1:5 ${TEXT}, found \`=\``],
    ['a > 5"x"', '1:6 expected `and` or `or`, found `"x"`'],
    [
      'a not  = 1',
      '1:8 expected `in`, `contains`, `like`, `regex` or `exists`, found `=`: write `!=`',
    ],
    ['a not b = 1', '1:7 expected `in`, `contains`, `like`, `regex` or `exists`, found `b`'],
    ['a not in = 1', '1:10 expected a list such as ${name} or `(`, found `=`'],
    [
      'a in "b" and c',
      '1:6 expected a list such as ${name} or `(`, found `"b"`: a list stands in parentheses',
    ],
    ['a in b', '1:6 expected a text in double quotes, a number or a list such as ${name}, not b'],
    ['a b', `1:3 ${OPERATOR}, found \`b\``],
    ['a "b c"', `1:3 ${OPERATOR}, found \`"b c"\``],
    ['a "b\\"c"', `1:3 ${OPERATOR}, found \`"b\\"c"\``],
    ['a "bc', `1:3 ${OPERATOR}, found \`"bc\`: this text is not closed by a double quote`],
    [`a "${'b'.repeat(50)}"`, `1:3 ${OPERATOR}, found \`"${'b'.repeat(40)}\``],
    [`a ${'b'.repeat(50)}`, `1:3 ${OPERATOR}, found \`${'b'.repeat(40)}\``],
  ])('says of %j all of: %s', (text, problem) => {
    expect(problemOf(text).split('\n')[0]).toBe(problem);
  });

  it('counts columns in characters and shows a window of a long line', () => {
    expect(problemOf('"😀"').split('\n')[0]).toContain('1:1 ');
    expect(problemOf('a = "😀" b')).toContain('1:9 ');
    const long = `${'a = 1 and '.repeat(100)}= 2`;
    expect(problemOf(long)).toContain('1:1001 ');
    expect(problemOf(long).length).toBeLessThan(400);
  });
});

describe('hostile texts', () => {
  it.each([
    ['parentheses', '('.repeat(60_000)],
    ['negations', '!'.repeat(60_000)],
    ['changes between and and or', 'a or b and '.repeat(5_000) + 'c'],
    ['characters', 'a'.repeat(70_000)],
  ])('are refused, not suffered: too many %s', (_what, text) => {
    expect(parseCondition(text).problems).toHaveLength(1);
    expect(parseCondition(text).condition).toBeUndefined();
  });

  it.each([
    ['a[2147483648] = 1', ''],
    ['a[2147483649] = 1', '1:1 an index is at most 2147483648'],
    ['a[0:2147483648] = 1', ''],
    ['a[0:2147483649] = 1', '1:1 an index is at most 2147483648'],
    ['a[2147483649:] = 1', '1:1 an index is at most 2147483648'],
    ['a[3:3] = 1', ''],
    [
      'a[4:3] = 1',
      '1:1 the range [4:3] ends before it starts; write [start:end], end not included',
    ],
  ])('%s: %j', (text, problem) => {
    expect(problemOf(text).split('\n')[0]).toBe(problem);
  });

  const tooDeep = 'a condition is nested at most 200 deep; move parts of it into macros';
  it.each([
    ['parentheses', (n: number) => `${'('.repeat(n)}a${')'.repeat(n)}`, tooDeep],
    ['negations', (n: number) => `${'!'.repeat(n)}a`, tooDeep],
    [
      'negations in parentheses',
      (n: number) => `a or ${'!('.repeat(n / 2)}a${')'.repeat(n / 2)}`,
      tooDeep,
    ],
    [
      'changes between and and or',
      (n: number) =>
        `a${Array.from({ length: n }, (_, i) => (i % 2 === 0 ? ' or a' : ' and a')).join('')}`,
      tooDeep,
    ],
    [
      'characters',
      (n: number) => 'a'.repeat(n + 65_536 - 200),
      'a condition has at most 65536 characters, not 65538',
    ],
  ])('may have as many %s as the limit says, no more', (_what, textOf, problem) => {
    expect(parseCondition(textOf(200)).condition).toBeDefined();
    expect(parseCondition(textOf(202)).problems).toMatchObject([{ message: problem }]);
  });

  it('may end where the parser itself gives up', () => {
    expect(parseCondition('('.repeat(60_000)).problems).toMatchObject([
      { message: 'too deeply nested at `(`; move parts of the condition into macros' },
    ]);
  });

  it('does not mind a long chain', () => {
    const { condition } = parseCondition('a or '.repeat(10_000) + 'b');
    expect(condition).toMatchObject({ kind: 'or', operands: { length: 10_001 } });
  });
});

describe('lint', () => {
  const warningsOf = (text: string): string[] =>
    parseCondition(text)
      .problems.filter(({ severity }) => severity === Severity.WARNING)
      .map(({ at, message }) => `${at} ${message}`);

  it('warns of and beside or without parentheses, once', () => {
    expect(warningsOf('a and b or c and d')).toEqual([
      expect.stringMatching(/^8 `and` and `or` bind equally/),
    ]);
    expect(warningsOf('(a and b) or c')).toEqual([]);
    expect(warningsOf('a and b and c')).toEqual([]);
  });

  it('warns of not before and or or', () => {
    expect(warningsOf('x and not a or b')).toEqual([
      expect.stringMatching(/^6 `not` covers everything to its right/),
    ]);
    expect(warningsOf('x or not (a or b)')).toEqual([]);
    expect(warningsOf('(not a) or b')).toEqual([]);
  });
});

it('keeps the place of every part', () => {
  const text = 'not Verb = "x"';
  const { condition } = parseCondition(text);
  if (condition?.kind !== 'not') throw new Error('expected a negation');
  expect(text.slice(condition.operand.from, condition.operand.to)).toBe('Verb = "x"');
  expect(printCondition(condition.operand)).toBe('Verb = "x"');
});

it('takes a backslash in a text as it stands, but as an escape in a quoted key', () => {
  expect(parseCondition('a = "\\"\\d"').condition).toMatchObject({ value: { text: '\\"\\d' } });
  expect(parseCondition('a."\\"\\\\" exists').condition).toMatchObject({
    path: { segments: [{ key: 'a' }, { key: '"\\' }] },
  });
});
