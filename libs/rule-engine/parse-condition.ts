import type { SyntaxNode } from '@lezer/common';
import type {
  BooleanLiteral,
  Chain,
  Condition,
  NumberLiteral,
  OrderOperator,
  Path,
  Test,
  TextLiteral,
} from './condition';
import { parser } from './gen/condition-parser';
import { readPath } from './path-text';
import { error, warning, type Problem } from './problem';
import { explainSyntaxError } from './syntax-error';

/** What parsing gives: the tree, or what is wrong with the text; and what merely looks wrong. */
export interface ParsedCondition {
  /** The tree; undefined if the text is not well-formed. */
  readonly condition: Condition | undefined;
  /** One error without a tree; any number of warnings with one. */
  readonly problems: readonly Problem[];
}

/** Longest condition, in UTF-16 units: longer ones are made by mistake, and cost memory in every service. */
const MAX_LENGTH = 65_536;

/** Deepest nesting, so that no text can exhaust the stack. */
const MAX_DEPTH = 200;

/** Largest index of an array: more elements than any event can hold. */
const MAX_INDEX = 2 ** 31;

const strictParser = parser.configure({ strict: true });

/** Thrown inside this file alone. */
class Refused extends Error {
  constructor(readonly problem: Problem) {
    super(problem.message);
  }
}

/**
 * Parses a condition.
 *
 * @param text - such as `Verb = "create" and ObjectRef.Resource in ("pods", "services")`
 */
export function parseCondition(text: string): ParsedCondition {
  if (text.length > MAX_LENGTH) {
    return refused(
      error(0, `a condition has at most ${MAX_LENGTH} characters, not ${text.length}`),
    );
  }
  let tree;
  try {
    tree = strictParser.parse(text);
  } catch (thrown) {
    return refused(explainSyntaxError(strictParser, text, thrown));
  }
  const builder = new Builder(text);
  try {
    return { condition: builder.chain(tree.topNode, 0), problems: builder.warnings };
  } catch (thrown) {
    if (thrown instanceof Refused) return refused(thrown.problem);
    throw thrown;
  }
}

function refused(problem: Problem): ParsedCondition {
  return { condition: undefined, problems: [problem] };
}

function tooDeep(at: number): Problem {
  return error(at, `a condition is nested at most ${MAX_DEPTH} deep; move parts of it into macros`);
}

/** Makes the tree out of Lezer's. */
class Builder {
  readonly warnings: Problem[] = [];

  constructor(private readonly text: string) {}

  /** The operands of a node, joined from the left. */
  chain(parent: SyntaxNode, depth: number): Condition {
    if (depth > MAX_DEPTH) throw new Refused(tooDeep(parent.from));
    const [first, ...rest] = childrenOf(parent).filter(({ name }) => name !== 'Not');
    let joined = this.operand(first, depth);
    let open: { kind: Chain['kind']; operands: Condition[] } | undefined;
    for (let i = 0; i + 1 < rest.length; i += 2) {
      const word = rest[i];
      const kind = word?.name === 'And' ? 'and' : 'or';
      const next = this.operand(rest[i + 1], depth);
      if (open?.kind === kind) {
        open.operands.push(next);
        continue;
      }
      if (open !== undefined) this.warnOfMixing(word);
      depth += 1;
      if (depth > MAX_DEPTH) throw new Refused(tooDeep(next.from));
      open = { kind, operands: [joined, next] };
      joined = { ...open, from: joined.from, to: parent.to };
    }
    if (parent.name === 'Negation' && rest.length > 0) this.warnOfWideNot(parent);
    return joined;
  }

  private operand(node: SyntaxNode | undefined, depth: number): Condition {
    if (node === undefined) throw new Error('the grammar has an operand here');
    const { from, to } = node;
    switch (node.name) {
      case 'Negation':
        return { kind: 'not', operand: this.chain(node, depth + 1), from, to };
      case 'Group':
        return this.chain(node, depth + 1);
      case 'Truth':
        return { kind: 'truth', path: this.path(node.firstChild), from, to };
      default:
        return this.test(node);
    }
  }

  private test(node: SyntaxNode): Test {
    const [pathNode, ...rest] = childrenOf(node);
    const path = this.path(pathNode);
    const { from, to } = node;
    const isNot = rest[0]?.name === 'Not';
    const [operatorNode, ...values] = isNot ? rest.slice(1) : rest;
    const negated = isNot || operatorNode?.name === 'NoMatch';
    switch (operatorNode?.name) {
      case 'Equality':
      case 'Order': {
        const word = this.textOf(operatorNode);
        const operator = word === '==' ? '=' : (word as OrderOperator);
        return { kind: 'compare', path, operator, value: this.value(values[0]), from, to };
      }
      case 'Contains':
      case 'Like':
      case 'Regex':
      case 'Match':
      case 'NoMatch': {
        const operator = MATCH_OPERATORS[operatorNode.name];
        const value = this.value(values[0]) as TextLiteral | NumberLiteral;
        return { kind: 'match', path, operator, negated, value, from, to };
      }
      case 'In':
      case 'IpInCidr': {
        const operator = operatorNode.name === 'In' ? 'in' : 'ipInCidr';
        return { kind: 'member', path, operator, negated, items: this.items(values[0]), from, to };
      }
      default:
        return { kind: 'exists', path, negated, from, to };
    }
  }

  private items(node: SyntaxNode | undefined): (TextLiteral | NumberLiteral | Path)[] {
    const nodes = node?.name === 'List' ? childrenOf(node) : [node];
    return nodes.map((item) => {
      if (item?.name !== 'Path') return this.value(item) as TextLiteral | NumberLiteral;
      const path = this.path(item);
      if (path.isReference && path.segments.length === 1) return path;
      const message = `expected a text in double quotes, a number or a list such as \${name}, not ${this.textOf(item)}`;
      throw new Refused(error(item.from, message));
    });
  }

  private value(node: SyntaxNode | undefined): TextLiteral | NumberLiteral | BooleanLiteral {
    const text = this.textOf(node);
    const { from, to } = node ?? { from: 0, to: 0 };
    switch (node?.name) {
      case 'Number':
        return { kind: 'number', text, from, to };
      case 'Boolean':
        return { kind: 'boolean', value: text.toLowerCase() === 'true', from, to };
      default:
        return { kind: 'text', text: text.slice(1, -1), from, to };
    }
  }

  private path(node: SyntaxNode | null | undefined): Path {
    const path = readPath(this.textOf(node), node?.from ?? 0);
    for (const index of path.segments.flatMap(({ indexes }) => indexes)) {
      const last = index.kind === 'range' ? (index.end ?? index.start) : 0;
      if (index.kind === 'range' && index.start > last) {
        const message = `the range [${index.start}:${last}] ends before it starts; write [start:end], end not included`;
        throw new Refused(error(path.from, message));
      }
      if (Math.max(last, index.kind === 'at' ? index.at : 0) > MAX_INDEX) {
        throw new Refused(error(path.from, `an index is at most ${MAX_INDEX}`));
      }
    }
    return path;
  }

  private textOf(node: SyntaxNode | null | undefined): string {
    return this.text.slice(node?.from ?? 0, node?.to ?? 0);
  }

  private warnOfMixing(word: SyntaxNode | undefined): void {
    const message =
      '`and` and `or` bind equally, from the left: `A or B and C` is `(A or B) and C`; write the parentheses';
    if (!this.warnings.some((known) => known.message === message)) {
      this.warnings.push(warning(word?.from ?? 0, message));
    }
  }

  private warnOfWideNot(negation: SyntaxNode): void {
    const message =
      '`not` covers everything to its right: `not A and B` is `not (A and B)`; write the parentheses';
    this.warnings.push(warning(negation.from, message));
  }
}

const MATCH_OPERATORS = {
  Contains: 'contains',
  Like: 'like',
  Regex: 'regex',
  Match: 'regex',
  NoMatch: 'regex',
} as const;

function childrenOf(node: SyntaxNode): SyntaxNode[] {
  const children: SyntaxNode[] = [];
  for (let child = node.firstChild; child !== null; child = child.nextSibling) children.push(child);
  return children;
}
