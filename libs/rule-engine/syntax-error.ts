import type { LRParser } from '@lezer/lr';
import { error, type Problem } from './problem';

const FIELD = 'a field such as Verb';
const OPERATOR = 'an operator such as = != < > in contains like regex exists';
const TEXT = 'a text in double quotes';
const NOT = '`not`';

/** What may stand at a place, and a text that stands for it. */
const CANDIDATES: readonly (readonly [name: string, sample: string])[] = [
  [FIELD, 'x'],
  ['`(`', '('],
  [TEXT, '""'],
  ['a number', '0'],
  ['`true` or `false`', 'true'],
  [OPERATOR, '='],
  ['`in`, `contains`, `like`, `regex` or `exists`', 'like'],
  [NOT, 'not'],
  ['`,`', ','],
  ['`)`', ')'],
  ['`and`', 'and'],
  ['`or`', 'or'],
];

/** What people write out of habit, and what it is here; the first that fits. */
const HINTS: readonly (readonly [found: RegExp, hint: string])[] = [
  [/^'/, 'texts stand in double quotes'],
  [/^[“”„‟‘’‚«»`]/u, 'texts stand in straight double quotes: "'],
  [/^"(?:[^"\\]|\\[^])*$/, 'this text is not closed by a double quote'],
  [/^[\u00a0\u2000-\u200f\u3000\ufeff]/u, 'this blank is not an ordinary one'],
  [/^(?:#|\/\/|\/\*|--)/, 'a condition has no comments; `desc` of the rule has room for them'],
  [/^\//, 'a key with a slash stands in double quotes, such as labels."app.kubernetes.io/name"'],
  [/^\[['\w]*[a-z]/i, 'a key in brackets stands in double quotes, such as labels["app"]'],
  [/^\["/, 'a list stands in parentheses'],
  [/^\[/, 'an index is [*], [n] or [start:end]; nothing else, no blanks, no negative numbers'],
  [/^\.\d/, 'a number starts with a digit'],
  [/^\./, 'a path has one dot between its parts, and no blanks'],
  [/^[&|]/, 'write `and`, `or`, `&&` or `||`'],
  [/^;/, 'a condition is not closed by anything'],
  [/^(?:is|eq|equals)\b/i, 'write `=`'],
  [/^ne\b/i, 'write `!=`'],
  [/^(?:null|nil|none)\b/i, 'whether a field is there is asked by `exists` and `not exists`'],
  [/^(?:starts?_?with|ends?_?with)\b/i, 'write `regex "^…"` or `regex "…$"`'],
  [/^match(?:es)?\b/i, 'write `regex`'],
];

/** Words that have a meaning of their own; in lower or upper case, not in a mixture. */
const KEYWORD = /^(?:and|or|not|in|like|contains|exists|regexp?|ipInCidr)(?![\w-])/i;

/**
 * Says what was expected where a text stops being a condition.
 *
 * Lezer only says where. What may follow is found by trying it.
 *
 * @param parser - in strict mode
 * @param thrown - what the parser threw
 */
export function explainSyntaxError(parser: LRParser, text: string, thrown: unknown): Problem {
  const at = stuckAt(thrown) ?? text.length;
  const before = text.slice(0, at);
  const expected = CANDIDATES.filter(([, sample]) => goesOn(parser, before, sample)).map(
    ([name]) => name,
  );
  const found = at >= text.length ? 'the end' : nextWord(text, at);
  const hint = hintAt(text, at, expected);
  // Lezer gives up on a very deep stack, where nothing at all can follow.
  const wanted =
    expected.length > 0
      ? `expected ${listed(namesOf(expected))}, found ${found}`
      : `too deeply nested at ${found}; move parts of the condition into macros`;
  return error(at, hint === undefined ? wanted : `${wanted}: ${hint}`);
}

/** What may follow, in words. */
function namesOf(expected: readonly string[]): string[] {
  // A condition may begin with `not`; where a field may stand and that may not, it is a reference to a list.
  const isList = expected.includes(FIELD) && !expected.includes(NOT);
  // The short list of operators is for the place behind `not`; elsewhere the long one names them already.
  return expected
    .filter((name) => !name.startsWith('`in`') || !expected.includes(OPERATOR))
    .map((name) => (name === FIELD && isList ? 'a list such as ${name}' : name));
}

function hintAt(text: string, at: number, expected: readonly string[]): string | undefined {
  const rest = text.slice(at);
  const keyword = KEYWORD.exec(rest)?.[0];
  if (keyword !== undefined) {
    if (keyword !== keyword.toLowerCase() && keyword !== keyword.toUpperCase())
      return lowerCased(keyword);
    const isJoin = /and|or/i.test(keyword);
    if (expected.includes(FIELD))
      return `a ${isJoin ? 'condition' : 'field'} stands before \`${keyword}\``;
  }
  if (/^\$/.test(rest)) {
    return expected.includes(TEXT)
      ? 'a reference stands for a condition, a field, or a list behind `in`'
      : 'a reference is ${name}';
  }
  if (/\d$/.test(text.slice(0, at)) && /^[\w+]/.test(rest)) return NUMBER_HINT;
  if (/^\+\d/.test(rest)) return NUMBER_HINT;
  if (/(?:<$|\snot\s*$)/i.test(text.slice(0, at)) && /^[>=]/.test(rest)) return 'write `!=`';
  if (rest.startsWith('"') && expected.includes(FIELD) && !expected.includes(NOT))
    return 'a list stands in parentheses';
  const known = HINTS.find(([start]) => start.test(rest))?.[1];
  if (known !== undefined) return known;
  if (!expected.includes(TEXT) || !/^[\w-]/.test(rest)) return undefined;
  const isField = /^(?!true\b|false\b)[a-z_]/i.test(rest);
  return isField
    ? 'texts stand in double quotes; no field is compared with another'
    : 'texts stand in double quotes';
}

function lowerCased(keyword: string): string {
  return `a keyword stands in lower case, \`${keyword.toLowerCase()}\`, or in upper case`;
}

const NUMBER_HINT = 'a number is digits, perhaps with `-` before and one dot among them';

function goesOn(parser: LRParser, before: string, sample: string): boolean {
  const text = `${before} ${sample}`;
  try {
    parser.parse(text);
    return true;
  } catch (thrown) {
    return (stuckAt(thrown) ?? text.length) >= text.length;
  }
}

/** Where the parser stopped: never at a blank. */
function stuckAt(thrown: unknown): number | undefined {
  const digits = thrown instanceof SyntaxError ? /\d+$/.exec(thrown.message)?.[0] : undefined;
  return digits === undefined ? undefined : Number(digits);
}

function nextWord(text: string, at: number): string {
  const word = /^(?:[\w.-]{1,40}|"(?:[^"\\]|\\[^]){0,40}"?|[^])/u.exec(text.slice(at))?.[0] ?? '';
  return `\`${word}\``;
}

function listed(names: readonly string[]): string {
  const head = names.slice(0, -1).join(', ');
  return head === '' ? (names[0] ?? '') : `${head} or ${names.at(-1) ?? ''}`;
}
