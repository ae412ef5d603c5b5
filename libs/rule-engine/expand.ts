import type { Condition, Membership, Path, Test, TextLiteral } from './condition';
import { error, type Problem } from './problem';

/** What a `${reference}` stands for. */
export type Meaning =
  | {
      readonly kind: 'macro';
      readonly condition: Condition;
      readonly testCount: number;
      /** Its text for resources that want macros without parentheses; see FlatMacros. */
      readonly flat: string;
    }
  | { readonly kind: 'list'; readonly items: readonly string[] }
  | { readonly kind: 'alias'; readonly path: Path }
  /** It stands for nothing usable; `reason` completes "`${x}` …". */
  | { readonly kind: 'none'; readonly reason: string };

/** Finds what a name stands for, where it is used. */
export type Scope = (name: string) => Meaning;

/** A condition without references; or the problems that keep it from being one. */
export interface Expanded {
  readonly condition: Condition | undefined;
  readonly problems: readonly Problem[];
  /** How many tests it has, with those of its macros, each as often as it is used. */
  readonly testCount: number;
}

/** Largest condition after expansion, in tests: macros that double each other grow beyond any memory. */
const MAX_TESTS = 10_000;

/**
 * Puts in what the references of a condition stand for: on the tree, so that a macro stays together as if it were
 * in parentheses, whatever it begins with, and no item of a list can close a quote.
 *
 * @param checkTest - is shown each test of the condition itself (not those of macros), expanded
 */
export function expandCondition(
  condition: Condition,
  scope: Scope,
  checkTest: (test: Test) => readonly Problem[] = () => [],
): Expanded {
  const expander = new Expander(scope, checkTest);
  const expanded = expander.expand(condition);
  const { problems, testCount } = expander;
  if (testCount > MAX_TESTS) {
    problems.push(error(0, `with its macros the condition has more than ${MAX_TESTS} tests`));
    return { condition: undefined, problems, testCount };
  }
  return { condition: expanded, problems, testCount };
}

class Expander {
  readonly problems: Problem[] = [];
  testCount = 0;

  constructor(
    private readonly scope: Scope,
    private readonly checkTest: (test: Test) => readonly Problem[],
  ) {}

  expand(condition: Condition): Condition | undefined {
    switch (condition.kind) {
      case 'and':
      case 'or': {
        const operands = condition.operands.map((operand) => this.expand(operand));
        return operands.every(isThere) ? { ...condition, operands } : undefined;
      }
      case 'not': {
        const operand = this.expand(condition.operand);
        return operand && { ...condition, operand };
      }
      case 'truth':
        return this.expandTruth(condition.path) ?? this.expandTest(condition);
      default:
        return this.expandTest(condition);
    }
  }

  /** The macro that a bare reference stands for; undefined if it is no macro. */
  private expandTruth(path: Path): Condition | undefined {
    const macro = macroOf(path, this.scope);
    if (macro === undefined) return undefined;
    this.testCount += macro.testCount;
    return macro.condition;
  }

  private expandTest(test: Test): Test | undefined {
    this.testCount += 1;
    const path = this.expandPath(test.path);
    if (path === undefined) return undefined;
    const expanded =
      test.kind === 'member'
        ? this.expandItems(test, path)
        : path === test.path
          ? test
          : { ...test, path };
    if (expanded !== undefined) this.problems.push(...this.checkTest(expanded));
    return expanded;
  }

  private expandPath(path: Path): Path | undefined {
    if (!path.isReference) return path;
    const meaning = this.scope(path.segments[0].key);
    if (meaning.kind === 'alias') return followAlias(path, meaning.path);
    this.refuse(path, meaning.kind === 'none' ? meaning.reason : UNFIT_FOR_FIELD[meaning.kind]);
    return undefined;
  }

  private expandItems(test: Membership, path: Path): Membership | undefined {
    const items: Membership['items'][number][] = [];
    let isComplete = true;
    for (const item of test.items) {
      if (item.kind !== 'path') {
        items.push(item);
        continue;
      }
      const meaning = this.scope(item.segments[0].key);
      if (meaning.kind === 'list') {
        items.push(...meaning.items.map((text) => textAt(text, item)));
      } else {
        this.refuse(item, notAList(meaning));
        isComplete = false;
      }
    }
    return isComplete ? { ...test, path, items } : undefined;
  }

  private refuse(path: Path, reason: string): void {
    this.problems.push(error(path.from, `\`\${${path.segments[0].key}}\` ${reason}`));
  }
}

/** The macro that a bare reference stands for; undefined if it is none. */
export function macroOf(path: Path, scope: Scope): Extract<Meaning, { kind: 'macro' }> | undefined {
  if (!path.isReference || hasSuffix(path)) return undefined;
  const meaning = scope(path.segments[0].key);
  return meaning.kind === 'macro' ? meaning : undefined;
}

/** What to say of a reference that stands where a field must. */
const UNFIT_FOR_FIELD = {
  list: 'is a list; it can stand behind `in` and `ipInCidr` only',
  macro: 'is a macro, which is a whole condition; an alias names a field',
};

/** Completes "`${x}` …" for a name that means no list. */
export function notAList(meaning: Meaning): string {
  return meaning.kind === 'none' ? meaning.reason : `is of type ${meaning.kind}, not list`;
}

/** The field of an alias, with what follows the reference to it. */
function followAlias(path: Path, aliased: Path): Path {
  const [{ indexes }, ...suffix] = path.segments;
  const [head, ...rest] = aliased.segments;
  const before = [head, ...rest];
  const last = before.pop() ?? head;
  const joined = { key: last.key, indexes: [...last.indexes, ...indexes] };
  const [first = joined, ...others] = [...before, joined, ...suffix];
  return { ...path, isReference: false, segments: [first, ...others] };
}

function hasSuffix(path: Path): boolean {
  return path.segments.length > 1 || path.segments[0].indexes.length > 0;
}

function textAt(text: string, { from, to }: Path): TextLiteral {
  return { kind: 'text', text, from, to };
}

function isThere<T>(value: T | undefined): value is T {
  return value !== undefined;
}
