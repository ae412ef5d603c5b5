import type { EventFields } from '@auditing/audit-event/event-fields';
import { jsonText } from '@auditing/audit-event/json-text';
import { ExplanationKind, type Explanation } from '@auditing/proto/rule';
import { compileTest } from './compile';
import type { Condition, Test } from './condition';
import { FieldReader, readRoot, resolvePath } from './field-source';
import { MISMATCH, TRUE } from './outcome';
import { collectValues } from './path-walk';
import { printCondition } from './print-condition';

/** An explanation is for people: nobody reads more values than these of one test. */
const MAX_VALUES = 100;

/** Longest value that is shown, in UTF-16 units: a field may be a body of many megabytes. */
const MAX_VALUE_LENGTH = 1_000;

/** Explains an expanded condition. */
export function explainCondition(condition: Condition, event: EventFields): Explanation {
  switch (condition.kind) {
    case 'and': {
      const parts = condition.operands.map((operand) => explainCondition(operand, event));
      return joined(ExplanationKind.AND, parts.every(holds), parts);
    }
    case 'or': {
      const parts = condition.operands.map((operand) => explainCondition(operand, event));
      return joined(ExplanationKind.OR, parts.some(holds), parts);
    }
    case 'not': {
      const part = explainCondition(condition.operand, event);
      return joined(ExplanationKind.NOT, !part.holds, [part]);
    }
    default:
      return explainTest(condition, event);
  }
}

function holds(part: Explanation): boolean {
  return part.holds;
}

function joined(kind: ExplanationKind, isTrue: boolean, parts: Explanation[]): Explanation {
  return { kind, holds: isTrue, parts, text: '', values: [], isMismatch: false };
}

function explainTest(test: Test, event: EventFields): Explanation {
  const reader = new FieldReader();
  const ask = compileTest(test, reader);
  reader.begin(event);
  const answer = typeof ask === 'function' ? ask(reader) : MISMATCH;
  const { root, steps } = resolvePath(test.path);
  const values = collectValues(readRoot(event, root), steps).slice(0, MAX_VALUES);
  return {
    kind: ExplanationKind.TEST,
    holds: answer === TRUE,
    parts: [],
    text: printCondition(test),
    values: values.map((value) => jsonText(value).slice(0, MAX_VALUE_LENGTH)),
    isMismatch: answer === MISMATCH,
  };
}
