import type { Condition, Test } from './condition';
import { parseCondition } from './parse-condition';
import { error, type Problem } from './problem';

/**
 * Puts macros in as the original does: their text as it stands, without parentheses, so that what stands around a
 * macro may take it apart. `C and ${m}` with the macro `A or B` is then `(C and A) or B`.
 *
 * Each test is replaced by a name before texts are put into each other: whatever stands in a test, it stays whole.
 */
export class FlatMacros {
  private readonly tests: Condition[] = [];

  /**
   * The text of a condition with all of its tests replaced.
   *
   * @param condition - parsed from `text`
   * @param replace - gives what stands for a test: the name of one, or the text of a macro
   */
  flatten(text: string, condition: Condition, replace: (test: Test) => string): string {
    let flat = '';
    let end = 0;
    for (const test of testsIn(condition)) {
      flat += `${text.slice(end, test.from)} ${replace(test)} `;
      end = test.to;
    }
    return flat + text.slice(end);
  }

  /** A name for an expanded test. */
  name(test: Condition): string {
    this.tests.push(test);
    return `t${this.tests.length - 1}`;
  }

  /** The condition that a flat text says; a problem if it is too long or too deep once all macros are in it. */
  read(flat: string): Condition | Problem {
    const { condition, problems } = parseCondition(flat);
    if (condition !== undefined) return this.named(condition);
    const reason = problems.map(({ message }) => message).join('; ');
    return error(0, `with the text of its macros put in, ${reason}`);
  }

  private named(condition: Condition): Condition {
    switch (condition.kind) {
      case 'and':
      case 'or':
        return { ...condition, operands: condition.operands.map((operand) => this.named(operand)) };
      case 'not':
        return { ...condition, operand: this.named(condition.operand) };
      default:
        return this.tests[Number(condition.path.segments[0].key.slice(1))] ?? condition;
    }
  }
}

/** The tests of a condition, in the order of its text. */
function testsIn(condition: Condition): Test[] {
  switch (condition.kind) {
    case 'and':
    case 'or':
      return condition.operands.flatMap(testsIn);
    case 'not':
      return testsIn(condition.operand);
    default:
      return [condition];
  }
}
