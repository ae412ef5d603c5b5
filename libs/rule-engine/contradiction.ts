import type { Condition, Test } from './condition';
import { resolvePath } from './field-source';
import { TRUE } from './outcome';
import { printCondition } from './print-condition';
import { compileValueTest } from './value-test';

/** More values than these are not tried one by one: a condition may name thousands. */
const MAX_CANDIDATES = 1_000;

/** A test in a chain of `and`, or what stands behind `not` there. */
interface Demand {
  readonly test: Test;
  /** Whether the test must hold, or must not. */
  readonly holds: boolean;
}

/**
 * Parts of a condition that no event can satisfy, each in words: tests of one field, joined by `and`, which exclude
 * each other. What it does not find may be impossible all the same.
 */
export function contradictionsIn(condition: Condition): string[] {
  switch (condition.kind) {
    case 'and': {
      const parts = condition.operands.flatMap(partsOf);
      return [...contradictionsOf(parts), ...parts.flatMap(contradictionsIn)];
    }
    case 'or':
      return condition.operands.flatMap(contradictionsIn);
    case 'not':
      return contradictionsIn(condition.operand);
    default:
      return [];
  }
}

/** What a chain of `and` demands, with the parts of chains in parentheses. */
function partsOf(operand: Condition): readonly Condition[] {
  return operand.kind === 'and' ? operand.operands.flatMap(partsOf) : [operand];
}

/** Among the tests that the parts of a chain of `and` demand. */
function contradictionsOf(parts: readonly Condition[]): string[] {
  const byField = new Map<string, Demand[]>();
  const demands = parts.flatMap(demandsOf);
  if (demands.length < 2) return [];
  for (const demand of demands) {
    const { key, steps } = resolvePath(demand.test.path);
    // Elements of one list may each satisfy another test; of addresses there is a list, too.
    const isOfElements = steps.some((step) => 'index' in step);
    if (isOfElements || isAddressTest(demand.test)) continue;
    const known = byField.get(key);
    if (known === undefined) byField.set(key, [demand]);
    else known.push(demand);
  }
  return [...byField.values()].filter(isImpossible).map(inWords);
}

function demandsOf(part: Condition): Demand[] {
  if ('path' in part) return [{ test: part, holds: true }];
  if (part.kind !== 'not' || !('path' in part.operand)) return [];
  return [{ test: part.operand, holds: false }];
}

function isAddressTest(test: Test): boolean {
  return test.kind === 'member' && test.operator === 'ipInCidr';
}

function isImpossible(demands: readonly Demand[]): boolean {
  if (demands.length < 2 || !demands.some(isMet)) return false;
  if (demands.some(({ test, holds }) => test.kind === 'exists' && test.negated === holds))
    return true;
  const candidates = demands.map(candidatesOf).find((texts) => texts !== undefined);
  if (candidates === undefined) return isRangeEmpty(demands);
  if (candidates.length > MAX_CANDIDATES) return false;
  const asked = demands.map(({ test, holds }) => ({ ask: askOf(test), holds }));
  return !candidates.some((text) => asked.every(({ ask, holds }) => ask(text) === holds));
}

/** Whether a demand needs the field to be there: every test does but `not exists`. */
function isMet({ test, holds }: Demand): boolean {
  return holds && !(test.kind === 'exists' && test.negated);
}

/** The texts one of which the field must be; undefined if the demand names none. */
function candidatesOf({ test, holds }: Demand): string[] | undefined {
  if (!holds) return undefined;
  if (test.kind === 'compare' && test.operator === '=' && test.value.kind === 'text')
    return [test.value.text];
  if (test.kind !== 'member' || test.operator !== 'in' || test.negated) return undefined;
  return test.items.flatMap((item) => (item.kind === 'path' ? [] : [item.text]));
}

function askOf(test: Test): (text: string) => boolean {
  if (test.kind === 'exists') return () => !test.negated;
  const ask = compileValueTest(test);
  return (text) => typeof ask === 'function' && ask(text) === TRUE;
}

/** Whether no number lies in all that the demands ask for. */
function isRangeEmpty(demands: readonly Demand[]): boolean {
  let low = -Infinity;
  let high = Infinity;
  const strict = { low: false, high: false };
  for (const { test, holds } of demands) {
    if (!holds || test.kind !== 'compare' || test.value.kind !== 'number') continue;
    const limit = Number(test.value.text);
    const { operator } = test;
    const isLow = operator === '=' || operator === '>' || operator === '>=';
    const isHigh = operator === '=' || operator === '<' || operator === '<=';
    if (isLow && (limit > low || (limit === low && operator === '>'))) {
      low = limit;
      strict.low = operator === '>';
    }
    if (isHigh && (limit < high || (limit === high && operator === '<'))) {
      high = limit;
      strict.high = operator === '<';
    }
  }
  return low > high || (low === high && (strict.low || strict.high));
}

function inWords(demands: readonly Demand[]): string {
  const texts = demands.map(({ test, holds }) => {
    const text = printCondition(test);
    return `\`${holds ? text : `not ${text}`}\``;
  });
  return [...new Set(texts)].join(' and ');
}
