import type { BooleanLiteral, Condition, NumberLiteral, Path, TextLiteral } from './condition';
import { printPath } from './path-text';

/**
 * The text of a condition, in one spelling for everything that means the same. Parsing it gives the same tree.
 *
 * A text that came out of a list may hold a lone double quote, which no condition can spell; it is printed all
 * the same.
 */
export function printCondition(condition: Condition): string {
  switch (condition.kind) {
    case 'and':
    case 'or':
      return condition.operands.map(printOperand).join(` ${condition.kind} `);
    case 'not':
      return `not ${printOperand(condition.operand)}`;
    case 'compare':
      return `${printPath(condition.path)} ${condition.operator} ${printValue(condition.value)}`;
    case 'match':
    case 'exists':
    case 'member':
      return `${printPath(condition.path)} ${condition.negated ? 'not ' : ''}${printRest(condition)}`;
    case 'truth':
      return printPath(condition.path);
  }
}

function printRest(test: Extract<Condition, { negated: boolean }>): string {
  switch (test.kind) {
    case 'match':
      return `${test.operator} ${printValue(test.value)}`;
    case 'exists':
      return 'exists';
    case 'member':
      return `${test.operator} (${test.items.map(printValue).join(', ')})`;
  }
}

function printOperand(operand: Condition): string {
  const text = printCondition(operand);
  const isChain = operand.kind === 'and' || operand.kind === 'or' || operand.kind === 'not';
  return isChain ? `(${text})` : text;
}

function printValue(value: TextLiteral | NumberLiteral | BooleanLiteral | Path): string {
  switch (value.kind) {
    case 'text':
      return `"${value.text}"`;
    case 'number':
      return value.text;
    case 'boolean':
      return String(value.value);
    case 'path':
      return printPath(value);
  }
}
