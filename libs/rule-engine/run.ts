import type { FieldReader } from './field-source';
import { MISMATCH, TRUE } from './outcome';
import type { Plan } from './plan';

/** The state of deciding one event. */
export interface Run {
  /** Stands at the event. */
  readonly reader: FieldReader;
  /** How many comparisons met a value of the wrong type, in the rule at hand. */
  mismatchCount: number;
  /** Answers of parts that several rules share; see {@link PlanCompiler}. */
  answers: Uint8Array;
}

/** A condition as a function. */
export type CompiledCondition = (run: Run) => boolean;

/** An answer in `Run.answers`: not asked yet, or some of the bits below. */
const UNKNOWN = 0;
const IS_KNOWN = 1;
const IS_TRUE = 2;
const HAD_MISMATCH = 4;

/** Makes functions of the plans that are evaluated together; a part they share is asked once an event. */
export class PlanCompiler {
  private readonly uses = new Map<Plan, number>();
  private readonly compiled = new Map<Plan, CompiledCondition>();

  /** How long `Run.answers` must be. */
  answerCount = 0;

  constructor(plans: readonly Plan[]) {
    for (const plan of plans) this.countUses(plan);
  }

  /** The function of one of the plans, or of a part of one. */
  compile(plan: Plan): CompiledCondition {
    const known = this.compiled.get(plan);
    if (known !== undefined) return known;
    const isShared = (this.uses.get(plan) ?? 0) > 1;
    const ask = this.compilePlain(plan);
    const compiled = isShared ? this.askedOnce(ask) : ask;
    this.compiled.set(plan, compiled);
    return compiled;
  }

  private countUses(plan: Plan): void {
    const uses = (this.uses.get(plan) ?? 0) + 1;
    this.uses.set(plan, uses);
    if (uses > 1 || plan.kind === 'test') return;
    for (const part of plan.kind === 'not' ? [plan.part] : plan.parts) this.countUses(part);
  }

  private compilePlain(plan: Plan): CompiledCondition {
    switch (plan.kind) {
      case 'test': {
        const { ask } = plan;
        return (run) => {
          const answer = ask(run.reader);
          if (answer === MISMATCH) run.mismatchCount += 1;
          return answer === TRUE;
        };
      }
      case 'not': {
        const part = this.compile(plan.part);
        return (run) => !part(run);
      }
      default:
        return compileJoin(
          plan.kind === 'or',
          plan.parts.map((part) => this.compile(part)),
        );
    }
  }

  private askedOnce(ask: CompiledCondition): CompiledCondition {
    const place = this.answerCount;
    this.answerCount += 1;
    return (run) => {
      const known = run.answers[place] ?? UNKNOWN;
      if (known !== UNKNOWN) {
        if ((known & HAD_MISMATCH) !== 0) run.mismatchCount += 1;
        return (known & IS_TRUE) !== 0;
      }
      const mismatchesBefore = run.mismatchCount;
      const answer = ask(run);
      const hadMismatch = run.mismatchCount > mismatchesBefore;
      run.answers[place] = IS_KNOWN | (answer ? IS_TRUE : 0) | (hadMismatch ? HAD_MISMATCH : 0);
      return answer;
    };
  }
}

function compileJoin(deciding: boolean, parts: readonly CompiledCondition[]): CompiledCondition {
  const [first, second] = parts;
  if (first !== undefined && second !== undefined && parts.length === 2) {
    return deciding ? (run) => first(run) || second(run) : (run) => first(run) && second(run);
  }
  return (run) => {
    for (const part of parts) if (part(run) === deciding) return deciding;
    return !deciding;
  };
}
