import type { JsonValue } from '@auditing/audit-event/event-fields';
import { isJsonObject } from '@auditing/audit-event/field-keys';
import type { Comparison, Match, Membership, OrderOperator, Test } from './condition';
import { compileGlob } from './glob';
import { parseAddress, parseIpRange, type IpRange } from './ip-range';
import { FALSE, MISMATCH, TRUE, type Outcome } from './outcome';
import { error, type Problem } from './problem';
import { RecentMap } from './recent-map';
import { compileRegularExpression } from './regular-expression';
import { compareText, textOfValue } from './text-value';

/** Asks something of a value that is there: never null. */
export type ValueTest = (value: JsonValue) => Outcome;

/** How many distinct values a pattern remembers its answer for; users, names and agents repeat heavily. */
const REMEMBERED_VALUES = 2_048;

/** Longest value that is remembered, in UTF-16 units, so that hostile ones cannot fill the memory. */
const REMEMBERED_LENGTH = 512;

/**
 * Compiles what a test asks of the value that its path leads to; `exists` asks nothing of it.
 *
 * @returns a problem if the test can never be asked: a bad regular expression or address range
 */
export function compileValueTest(test: Exclude<Test, { kind: 'exists' }>): ValueTest | Problem {
  switch (test.kind) {
    case 'compare':
      return compileComparison(test);
    case 'match':
      return compileMatch(test);
    case 'member':
      return test.operator === 'in' ? compileIn(test) : compileIpInCidr(test);
    case 'truth':
      return (value) => {
        const flag = parseFlag(value);
        return flag === undefined ? MISMATCH : outcome(flag);
      };
  }
}

function outcome(answer: boolean): Outcome {
  return answer ? TRUE : FALSE;
}

function compileComparison({ operator, value }: Comparison): ValueTest {
  switch (value.kind) {
    case 'text':
      return compareWithText(operator, value.text);
    case 'number':
      return compareWithNumber(operator, Number(value.text));
    case 'boolean':
      return (actual) => {
        const flag = parseFlag(actual);
        return flag === undefined
          ? MISMATCH
          : outcome((flag === value.value) === (operator === '='));
      };
  }
}

function compareWithText(operator: OrderOperator, expected: string): ValueTest {
  switch (operator) {
    case '=':
      return (actual) => outcome(textOfValue(actual) === expected);
    case '!=':
      return (actual) => outcome(textOfValue(actual) !== expected);
    case '<':
      return (actual) => outcome(compareText(textOfValue(actual), expected) < 0);
    case '<=':
      return (actual) => outcome(compareText(textOfValue(actual), expected) <= 0);
    case '>':
      return (actual) => outcome(compareText(textOfValue(actual), expected) > 0);
    case '>=':
      return (actual) => outcome(compareText(textOfValue(actual), expected) >= 0);
  }
}

function compareWithNumber(operator: OrderOperator, expected: number): ValueTest {
  const compare = NUMBER_COMPARISONS[operator];
  return (actual) => {
    const number = parseNumber(actual);
    return number === undefined ? MISMATCH : outcome(compare(number, expected));
  };
}

const NUMBER_COMPARISONS: Record<OrderOperator, (a: number, b: number) => boolean> = {
  '=': (a, b) => a === b,
  '!=': (a, b) => a !== b,
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
};

/** The numbers that Go's ParseFloat reads, hexadecimal ones aside. */
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const INFINITE = /^([+-]?)inf(?:inity)?$/i;

function parseNumber(value: JsonValue): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value !== 'string') return undefined;
  if (!NUMBER.test(value)) {
    if (/^nan$/i.test(value)) return Number.NaN;
    const sign = INFINITE.exec(value)?.[1];
    return sign === undefined ? undefined : sign === '-' ? -Infinity : Infinity;
  }
  const number = Number(value);
  return Number.isFinite(number) ? number : undefined;
}

/** The booleans that Go's ParseBool reads. */
const FLAGS = new Map<string, boolean>([
  ...['1', 't', 'T', 'TRUE', 'true', 'True'].map((text) => [text, true] as const),
  ...['0', 'f', 'F', 'FALSE', 'false', 'False'].map((text) => [text, false] as const),
]);

function parseFlag(value: JsonValue): boolean | undefined {
  if (typeof value === 'boolean') return value;
  return typeof value === 'object' ? undefined : FLAGS.get(textOfValue(value));
}

function compileMatch({ operator, negated, value }: Match): ValueTest | Problem {
  switch (operator) {
    case 'contains':
      return (actual) => outcome(textOfValue(actual).includes(value.text) !== negated);
    case 'like':
      return remembering(compileGlob(value.text), negated);
    case 'regex': {
      const compiled = compileRegularExpression(value.text);
      if ('reason' in compiled) {
        const message = `expected a regular expression of RE2, without look-around and back-references: ${compiled.reason}`;
        return error(value.from, message);
      }
      return remembering(compiled.test, negated);
    }
  }
}

/** Asks each distinct short text once. */
function remembering(ask: (text: string) => boolean, negated: boolean): ValueTest {
  const known = new RecentMap<string, Outcome>(REMEMBERED_VALUES);
  return (actual) => {
    const text = textOfValue(actual);
    if (text.length > REMEMBERED_LENGTH) return outcome(ask(text) !== negated);
    let answer = known.get(text);
    if (answer === undefined) {
      answer = outcome(ask(text) !== negated);
      known.set(text, answer);
    }
    return answer;
  };
}

function compileIn({ items, negated }: Membership): ValueTest {
  const texts = new Set(items.flatMap((item) => (item.kind === 'path' ? [] : [item.text])));
  return (actual) => outcome(texts.has(textOfValue(actual)) !== negated);
}

function compileIpInCidr({ items, negated }: Membership): ValueTest | Problem {
  const ranges: IpRange[] = [];
  for (const item of items) {
    if (item.kind === 'path') continue;
    const range = parseIpRange(item.text);
    if (range === undefined) {
      return error(
        item.from,
        `expected an address range such as "10.0.0.0/8", found "${item.text}"`,
      );
    }
    ranges.push(range);
  }
  return (actual) => {
    const address = typeof actual === 'string' ? parseAddress(actual) : undefined;
    if (address === undefined) return MISMATCH;
    return outcome(ranges.some((range) => range.has(address)) !== negated);
  };
}

/** Whether a value counts as existing: anything but null and what holds nothing but null. */
export function hasContent(value: JsonValue | undefined): boolean {
  const pending: (JsonValue | undefined)[] = [value];
  while (pending.length > 0) {
    const next = pending.pop();
    if (next === undefined || next === null) continue;
    if (!isJsonObject(next)) return true;
    for (const key of Object.keys(next)) pending.push(next[key]);
  }
  return false;
}
