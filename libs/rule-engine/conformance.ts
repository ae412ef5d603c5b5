import type { JsonValue } from '@auditing/audit-event/event-fields';
import { decodeEvent } from '@auditing/audit-event/decoded-event';
import { Source } from '@auditing/proto/event';
import { Severity } from '@auditing/proto/rule';
import { checkTest } from './check';
import { expandCondition } from './expand';
import { FieldReader } from './field-source';
import { parseCondition } from './parse-condition';
import { Planner } from './plan';
import { RuleIndex } from './rule-index';

/** A file of conditions and what must come of them. */
export interface ConformanceFile {
  readonly events: readonly JsonValue[];
  readonly cases: readonly ConformanceCase[];
}

/** One condition, the index of its event, and what must come out. */
export interface ConformanceCase {
  readonly condition: string;
  readonly event: number;
  readonly expect: boolean | 'reject';
}

/** A case that came out differently. */
export interface Difference {
  readonly conformanceCase: ConformanceCase;
  readonly found: boolean | 'reject';
  /** Why it was refused; empty if it was not. */
  readonly reason: string;
}

/** Runs all cases and returns those that come out differently. */
export function runConformance(file: ConformanceFile): Difference[] {
  return file.cases.flatMap((conformanceCase) => {
    const event = file.events[conformanceCase.event] ?? {};
    const { found, reason } = outcomeOf(conformanceCase.condition, event);
    return found === conformanceCase.expect ? [] : [{ conformanceCase, found, reason }];
  });
}

function outcomeOf(text: string, event: JsonValue): { found: boolean | 'reject'; reason: string } {
  const parsed = parseCondition(text);
  const expanded =
    parsed.condition &&
    expandCondition(parsed.condition, () => ({ kind: 'none', reason: 'is not known' }), checkTest);
  const problems = [...parsed.problems, ...(expanded?.problems ?? [])];
  const error = problems.find(({ severity }) => severity === Severity.ERROR);
  if (error !== undefined || expanded?.condition === undefined) {
    return { found: 'reject', reason: error?.message ?? '' };
  }
  const reader = new FieldReader();
  const planner = new Planner(reader);
  const plan = planner.plan(expanded.condition);
  if ('severity' in plan) return { found: 'reject', reason: plan.message };
  let found = false;
  const matched = (): void => {
    found = true;
  };
  const bytes = Buffer.from(JSON.stringify(event));
  const fields = decodeEvent(bytes, Source.KUBE_AI_HUB);
  new RuleIndex([{ plan, resources: undefined }], planner, reader).evaluate(fields, {
    matched,
    mismatched: () => undefined,
  });
  return { found, reason: '' };
}
