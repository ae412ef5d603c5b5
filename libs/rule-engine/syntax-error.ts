import type { LRParser } from '@lezer/lr';
import { error, type Problem } from './problem';

const FIELD = 'a field such as Verb';
const OPERATOR = 'an operator such as = != < > in contains like regex exists';
const TEXT = 'a text in double quotes';

/** What may stand at a place, and a text that stands for it. */
const CANDIDATES: readonly (readonly [name: string, sample: string])[] = [
  [FIELD, 'x'],
  ['`(`', '('],
  [TEXT, '""'],
  ['a number', '0'],
  ['`true` or `false`', 'true'],
  [OPERATOR, '='],
  ['`in`, `contains`, `like`, `regex` or `exists`', 'like'],
  ['`not`', 'not'],
  ['`,`', ','],
  ['`)`', ')'],
  ['`and`', 'and'],
  ['`or`', 'or'],
];

/** What people write out of habit, and what it is here. */
const HINTS: readonly (readonly [start: RegExp, hint: string])[] = [
  [/^'/, 'texts stand in double quotes'],
  [/^"(?:[^"\\]|\\[^])*$/, 'this text is not closed by a double quote'],
  [/^\[/, 'an index is [*], [n] or [start:end]; nothing else, no blanks, no negative numbers'],
  [/^\.\d/, 'a number starts with a digit'],
  [/^\./, 'a path has one dot between its parts, and no blanks'],
  [/^[&|]/, 'write `and`, `or`, `&&` or `||`'],
  [/^\$/, 'a reference is ${name}'],
  [/^;/, 'a condition is not closed by anything'],
];

/**
 * Says what was expected where a text stops being a condition.
 *
 * Lezer only says where. What may follow is found by trying it.
 *
 * @param parser - in strict mode
 * @param thrown - what the parser threw
 */
export function explainSyntaxError(parser: LRParser, text: string, thrown: unknown): Problem {
  const at = skipBlanks(text, stuckAt(thrown) ?? text.length);
  const before = text.slice(0, at);
  const expected = CANDIDATES.filter(([, sample]) => goesOn(parser, before, sample)).map(
    ([name]) => name,
  );
  // The short list of operators is for the place behind `not`; elsewhere the long one names them already.
  const names = expected
    .filter((name) => !name.startsWith('`in`') || !expected.includes(OPERATOR))
    .map((name) => (name === FIELD && expected.includes(TEXT) ? 'a list such as ${name}' : name));
  const found = at >= text.length ? 'the end' : nextWord(text, at);
  const hint = HINTS.find(([start]) => start.test(text.slice(at)))?.[1];
  // Lezer gives up on a very deep stack, where nothing at all can follow.
  const wanted =
    names.length > 0
      ? `expected ${listed(names)}, found ${found}`
      : `too deeply nested at ${found}; move parts of the condition into macros`;
  return error(at, hint === undefined ? wanted : `${wanted}: ${hint}`);
}

function goesOn(parser: LRParser, before: string, sample: string): boolean {
  const text = `${before} ${sample}`;
  try {
    parser.parse(text);
    return true;
  } catch (thrown) {
    return (stuckAt(thrown) ?? text.length) >= text.length;
  }
}

function stuckAt(thrown: unknown): number | undefined {
  const digits = thrown instanceof SyntaxError ? /\d+$/.exec(thrown.message)?.[0] : undefined;
  return digits === undefined ? undefined : Number(digits);
}

function skipBlanks(text: string, at: number): number {
  return at + (/^[ \t\r\n]*/.exec(text.slice(at))?.[0].length ?? 0);
}

function nextWord(text: string, at: number): string {
  const word = /^(?:[\w.-]{1,40}|"(?:[^"\\]|\\[^]){0,40}"?|[^])/u.exec(text.slice(at))?.[0] ?? '';
  return `\`${word}\``;
}

function listed(names: readonly string[]): string {
  const head = names.slice(0, -1).join(', ');
  return head === '' ? (names[0] ?? '') : `${head} or ${names.at(-1) ?? ''}`;
}
