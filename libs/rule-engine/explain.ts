import type { EventFields, JsonValue } from '@auditing/audit-event/event-fields';
import { compileTest } from './compile';
import type { Condition, Test } from './condition';
import { FieldReader, readRoot, resolvePath } from './field-source';
import { MISMATCH, TRUE } from './outcome';
import { collectValues } from './path-walk';
import { printCondition } from './print-condition';

/** What came of a condition, or of a part of one, for one event. */
export interface Explanation {
  /** The condition, expanded. */
  readonly text: string;
  /** Whether it holds. */
  readonly holds: boolean;
  /** Of `and`, `or` and `not`: their operands. All are asked, even where one already decides. */
  readonly parts: readonly Explanation[];
  /** Of a test: the values its path leads to; null where one is null, none where the field is missing. */
  readonly values: readonly JsonValue[];
  /** True if a test could not be asked of a value, such as a number of a word; it does not hold then. */
  readonly isMismatch: boolean;
}

/** Explains an expanded condition. */
export function explainCondition(condition: Condition, event: EventFields): Explanation {
  switch (condition.kind) {
    case 'and':
    case 'or': {
      const parts = condition.operands.map((operand) => explainCondition(operand, event));
      const holds =
        condition.kind === 'and'
          ? parts.every((part) => part.holds)
          : parts.some((part) => part.holds);
      return { text: printCondition(condition), holds, parts, values: [], isMismatch: false };
    }
    case 'not': {
      const part = explainCondition(condition.operand, event);
      const text = printCondition(condition);
      return { text, holds: !part.holds, parts: [part], values: [], isMismatch: false };
    }
    default:
      return explainTest(condition, event);
  }
}

function explainTest(test: Test, event: EventFields): Explanation {
  const reader = new FieldReader();
  const ask = compileTest(test, reader);
  reader.begin(event);
  const answer = typeof ask === 'function' ? ask(reader) : MISMATCH;
  const { root, steps } = resolvePath(test.path);
  return {
    text: printCondition(test),
    holds: answer === TRUE,
    parts: [],
    values: collectValues(readRoot(event, root), steps),
    isMismatch: answer === MISMATCH,
  };
}
