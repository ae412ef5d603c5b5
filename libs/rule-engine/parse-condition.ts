import type { TreeCursor } from '@lezer/common';
import type {
  BooleanLiteral,
  Chain,
  Condition,
  Index,
  NumberLiteral,
  OrderOperator,
  Path,
  Span,
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
  const builder = new Builder(text, tree.cursor());
  try {
    return { condition: builder.chain(0), problems: builder.warnings };
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

/** What all tests have, and the word of the operator. */
interface TestParts extends Span {
  readonly path: Path;
  readonly negated: boolean;
  readonly word: string;
}

/** Makes the tree out of Lezer's, which it walks with one cursor: that is several times faster than by its nodes. */
class Builder {
  readonly warnings: Problem[] = [];

  constructor(
    private readonly text: string,
    private readonly cursor: TreeCursor,
  ) {}

  /** The operands of the node at the cursor, joined from the left. */
  chain(depth: number): Condition {
    const { cursor } = this;
    const { from, to } = cursor;
    if (depth > MAX_DEPTH) throw new Refused(tooDeep(from));
    const isNegation = cursor.name === 'Negation';
    cursor.firstChild();
    if (isNegation) cursor.nextSibling();
    let joined = this.operand(depth);
    let open: { kind: Chain['kind']; operands: Condition[] } | undefined;
    while (cursor.nextSibling()) {
      const kind = cursor.name === 'And' ? 'and' : 'or';
      const wordAt = cursor.from;
      cursor.nextSibling();
      const next = this.operand(depth);
      if (open?.kind === kind) {
        open.operands.push(next);
        continue;
      }
      if (open !== undefined) this.warnOfMixing(wordAt);
      depth += 1;
      if (depth > MAX_DEPTH) throw new Refused(tooDeep(next.from));
      open = { kind, operands: [joined, next] };
      joined = { ...open, from: joined.from, to };
    }
    if (isNegation && open !== undefined) this.warnOfWideNot(from);
    cursor.parent();
    return joined;
  }

  private operand(depth: number): Condition {
    const { from, to } = this.cursor;
    switch (this.cursor.name) {
      case 'Negation':
        return { kind: 'not', operand: this.chain(depth + 1), from, to };
      case 'Group':
        return this.chain(depth + 1);
      case 'Truth': {
        this.cursor.firstChild();
        const path = this.path();
        this.cursor.parent();
        return { kind: 'truth', path, from, to };
      }
      default:
        return this.test();
    }
  }

  private test(): Test {
    const { cursor } = this;
    const { from, to } = cursor;
    cursor.firstChild();
    const path = this.path();
    cursor.nextSibling();
    const isNot = cursor.name === 'Not';
    if (isNot) cursor.nextSibling();
    const { name } = cursor;
    const negated = isNot || name === 'NoMatch';
    const word = this.textOf();
    cursor.nextSibling();
    const test = this.testOf(name, { path, negated, word, from, to });
    cursor.parent();
    return test;
  }

  /** The test whose operator has this name; the cursor is at what follows the operator. */
  private testOf(name: string, { path, negated, word, from, to }: TestParts): Test {
    switch (name) {
      case 'Equality':
      case 'Order': {
        const operator = word === '==' ? '=' : (word as OrderOperator);
        return { kind: 'compare', path, operator, value: this.value(), from, to };
      }
      case 'Contains':
      case 'Like':
      case 'Regex':
      case 'Match':
      case 'NoMatch': {
        const operator = MATCH_OPERATORS[name];
        const value = this.value() as TextLiteral | NumberLiteral;
        return { kind: 'match', path, operator, negated, value, from, to };
      }
      case 'In':
      case 'IpInCidr': {
        const operator = name === 'In' ? 'in' : 'ipInCidr';
        return { kind: 'member', path, operator, negated, items: this.items(), from, to };
      }
      default:
        return { kind: 'exists', path, negated, from, to };
    }
  }

  private items(): (TextLiteral | NumberLiteral | Path)[] {
    if (this.cursor.name !== 'List') return [this.item()];
    const items: (TextLiteral | NumberLiteral | Path)[] = [];
    this.cursor.firstChild();
    do items.push(this.item());
    while (this.cursor.nextSibling());
    this.cursor.parent();
    return items;
  }

  private item(): TextLiteral | NumberLiteral | Path {
    if (this.cursor.name !== 'Path') return this.value() as TextLiteral | NumberLiteral;
    const path = this.path();
    if (path.isReference && path.segments.length === 1) return path;
    const message = `expected a text in double quotes, a number or a list such as \${name}, not ${this.textOf()}`;
    throw new Refused(error(path.from, message));
  }

  private value(): TextLiteral | NumberLiteral | BooleanLiteral {
    const { name, from, to } = this.cursor;
    const text = this.textOf();
    switch (name) {
      case 'Number':
        return { kind: 'number', text, from, to };
      case 'Boolean':
        return { kind: 'boolean', value: text.toLowerCase() === 'true', from, to };
      default:
        return { kind: 'text', text: text.slice(1, -1), from, to };
    }
  }

  private path(): Path {
    const path = readPath(this.textOf(), this.cursor.from);
    if (path.segments[0].key === '') throw new Refused(error(path.from, NAMELESS));
    for (const { indexes } of path.segments) for (const index of indexes) checkIndex(index, path);
    return path;
  }

  private textOf(): string {
    return this.text.slice(this.cursor.from, this.cursor.to);
  }

  private warnOfMixing(at: number): void {
    const message =
      '`and` and `or` bind equally, from the left: `A or B and C` is `(A or B) and C`; write the parentheses';
    if (!this.warnings.some((known) => known.message === message)) {
      this.warnings.push(warning(at, message));
    }
  }

  private warnOfWideNot(at: number): void {
    const message =
      '`not` covers everything to its right: `not A and B` is `not (A and B)`; write the parentheses';
    this.warnings.push(warning(at, message));
  }
}

const NAMELESS = 'expected the name of a macro, list or alias in `${name}`, found blanks alone';

const MATCH_OPERATORS = {
  Contains: 'contains',
  Like: 'like',
  Regex: 'regex',
  Match: 'regex',
  NoMatch: 'regex',
} as const;

function checkIndex(index: Index, { from }: Path): void {
  const last = index.kind === 'range' ? (index.end ?? index.start) : 0;
  if (index.kind === 'range' && index.start > last) {
    const message = `the range [${index.start}:${last}] ends before it starts; write [start:end], end not included`;
    throw new Refused(error(from, message));
  }
  if (Math.max(last, index.kind === 'at' ? index.at : 0) > MAX_INDEX) {
    throw new Refused(error(from, `an index is at most ${MAX_INDEX}`));
  }
}
