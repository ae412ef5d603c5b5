import { columnFieldOf } from '@auditing/audit-event/column-fields';
import { compileTest, type CompiledTest } from './compile';
import type { Comparison, Condition, Membership, Test } from './condition';
import { resolvePath, type FieldReader, type Root } from './field-source';
import { FALSE, TRUE } from './outcome';
import type { Problem } from './problem';

/** A condition on its way to being compiled: equal parts are one object, so that each is asked once an event. */
export type Plan = PlanTest | PlanJoin | PlanNot;

/** One test. */
export interface PlanTest {
  readonly kind: 'test';
  readonly id: number;
  readonly cost: number;
  /** True if it reads nothing but what the index is over. */
  readonly isIndexed: boolean;
  readonly ask: CompiledTest;
  /** Set if it holds just where the value of a root, as a text, is this one. */
  readonly equals: { readonly slot: number; readonly text: string } | undefined;
}

/** Parts joined by one word, cheap ones first. */
export interface PlanJoin {
  readonly kind: 'and' | 'or';
  readonly id: number;
  readonly cost: number;
  readonly parts: readonly Plan[];
}

/** The opposite of a part. */
export interface PlanNot {
  readonly kind: 'not';
  readonly id: number;
  readonly cost: number;
  readonly part: Plan;
}

/** The fields that the index is over. Nearly every rule asks for them first. */
const INDEXED_FIELDS: ReadonlySet<string> = new Set([
  'Verb',
  'ObjectRef.Resource',
  'ObjectRef.Subresource',
]);

/** Rough order of cost: what reads the whole event comes last, as it may have to be parsed for that. */
const COST = { plain: 1, pattern: 2, document: 1_000_000 };

/** Builds plans; one for a whole rule set, so that its rules share what they have in common. */
export class Planner {
  private readonly tests = new Map<string, PlanTest>();
  private readonly joins = new Map<string, PlanJoin | PlanNot>();

  constructor(
    private readonly reader: FieldReader,
    private readonly ids = { next: 0 },
  ) {}

  /** A planner of its own memory whose plans can be joined with those of this one. */
  fork(): Planner {
    return new Planner(this.reader, this.ids);
  }

  /** The plan of an expanded condition; a problem if one of its tests can never be asked. */
  plan(condition: Condition): Plan | Problem {
    switch (condition.kind) {
      case 'and':
      case 'or': {
        const parts: Plan[] = [];
        for (const operand of condition.operands) {
          const part = this.plan(operand);
          if ('severity' in part) return part;
          parts.push(part);
        }
        return this.join(condition.kind, parts);
      }
      case 'not': {
        const part = this.plan(condition.operand);
        return 'severity' in part ? part : this.not(part);
      }
      default:
        return this.test(condition);
    }
  }

  /** Two or more parts joined; a part of the same kind is taken apart, a part that is there twice is left out. */
  join(kind: PlanJoin['kind'], parts: readonly Plan[]): Plan {
    const flat = new Set(parts.flatMap((part) => (part.kind === kind ? part.parts : [part])));
    const sorted = [...flat].sort((a, b) => a.cost - b.cost || a.id - b.id);
    const [only] = sorted;
    if (only !== undefined && sorted.length === 1) return only;
    const key = `${kind}(${sorted.map(({ id }) => id).join()})`;
    const cost = sorted.reduce((sum, part) => sum + part.cost, 0);
    return this.known(key, () => ({ kind, id: this.ids.next++, cost, parts: sorted }));
  }

  /** The opposite of a part. */
  not(part: Plan): Plan {
    if (part.kind === 'not') return part.part;
    const key = `not(${part.id})`;
    return this.known(key, () => ({ kind: 'not', id: this.ids.next++, cost: part.cost, part }));
  }

  private known(key: string, make: () => PlanJoin | PlanNot): Plan {
    const known = this.joins.get(key) ?? make();
    this.joins.set(key, known);
    return known;
  }

  private equality({ operator, value }: Comparison, root: Root): PlanTest['equals'] {
    if (operator !== '=' || value.kind !== 'text') return undefined;
    return { slot: this.reader.slot(root), text: value.text };
  }

  private test(test: Test): Plan | Problem {
    const key = keyOf(test);
    const known = this.tests.get(key);
    if (known !== undefined) return known;
    const ask = compileTest(test, this.reader);
    if (typeof ask !== 'function') return ask;
    const { root, steps } = resolvePath(test.path);
    const isIndexed = steps.length === 0 && 'field' in root && INDEXED_FIELDS.has(root.field);
    const made: PlanTest = {
      kind: 'test',
      id: this.ids.next++,
      cost: costOf(test, root),
      isIndexed,
      ask,
      equals: steps.length === 0 && test.kind === 'compare' ? this.equality(test, root) : undefined,
    };
    this.tests.set(key, made);
    return made;
  }
}

/** Equal for tests that ask the same, wherever they stand. */
function keyOf(test: Test): string {
  const { key } = resolvePath(test.path);
  switch (test.kind) {
    case 'compare':
      return `${test.operator} ${keyOfOperand(test.value)} ${key}`;
    case 'match':
      return `${test.operator} ${String(test.negated)} ${keyOfOperand(test.value)} ${key}`;
    case 'member':
      return `${test.operator} ${String(test.negated)} ${test.items.map(keyOfOperand).join()} ${key}`;
    case 'exists':
      return `exists ${String(test.negated)} ${key}`;
    case 'truth':
      return `truth ${key}`;
  }
}

/** Begins with its own length, so that no operand can be taken for two. */
function keyOfOperand(operand: Membership['items'][number] | Comparison['value']): string {
  switch (operand.kind) {
    case 'path':
      return resolvePath(operand).key;
    case 'boolean':
      return `boolean ${String(operand.value)}`;
    default:
      return `${operand.kind} ${operand.text.length} ${operand.text}`;
  }
}

function costOf(test: Test, root: Root): number {
  if ('other' in root || columnFieldOf(root.field) === undefined) return COST.document;
  return test.kind === 'match' ? COST.pattern : COST.plain;
}

/** What is left of a plan once the indexed fields are known: a constant, or a plan that no longer reads them. */
export type Residual = boolean | Plan;

/** Settles what the indexed fields of the event that a reader stands at decide. */
export class PartialEvaluation {
  private readonly known = new Map<number, Residual>();
  private readonly planner: Planner;

  constructor(
    private readonly reader: FieldReader,
    planner: Planner,
  ) {
    this.planner = planner.fork();
  }

  /** The rest of a plan. */
  residual(plan: Plan): Residual {
    const known = this.known.get(plan.id);
    if (known !== undefined) return known;
    const residual = this.settle(plan);
    this.known.set(plan.id, residual);
    return residual;
  }

  private settle(plan: Plan): Residual {
    switch (plan.kind) {
      case 'test': {
        const answer = plan.isIndexed ? plan.ask(this.reader) : undefined;
        // A mismatch stays, so that it is counted at each event.
        return answer === TRUE ? true : answer === FALSE ? false : plan;
      }
      case 'not': {
        const part = this.residual(plan.part);
        if (typeof part === 'boolean') return !part;
        return part === plan.part ? plan : this.planner.not(part);
      }
      default:
        return this.settleJoin(plan);
    }
  }

  private settleJoin(plan: PlanJoin): Residual {
    const deciding = plan.kind === 'or';
    const left: Plan[] = [];
    for (const part of plan.parts) {
      const residual = this.residual(part);
      if (residual === deciding) return deciding;
      if (typeof residual !== 'boolean') left.push(residual);
    }
    if (left.length === 0) return !deciding;
    const isSame =
      left.length === plan.parts.length && left.every((part, i) => part === plan.parts[i]);
    return isSame ? plan : this.planner.join(plan.kind, left);
  }
}
