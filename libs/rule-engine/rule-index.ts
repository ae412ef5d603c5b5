import type { EventFields, JsonValue } from '@auditing/audit-event/event-fields';
import type { FieldReader } from './field-source';
import { PartialEvaluation, type Plan, type Planner } from './plan';
import { RecentMap } from './recent-map';
import { PlanCompiler, type CompiledCondition, type Run } from './run';

/** How many combinations of verb, resource and subresource are kept compiled; real clusters have about 300. */
const MAX_BUCKETS = 2_048;

/** Longest verb, resource or subresource that gets a bucket, in UTF-16 units: real ones are names. */
const MAX_KEY_LENGTH = 128;

/** One rule that is still open for a kind of event; without a condition it matches all of them. */
interface Candidate {
  readonly rule: number;
  readonly matches: CompiledCondition | undefined;
}

/** The rules that are left for one combination of verb, resource and subresource. */
interface Bucket {
  readonly candidates: readonly Candidate[];
  readonly answerCount: number;
}

/** Is told of each rule that was asked of an event. */
export interface Listener {
  matched(rule: number): void;
  mismatched(rule: number, count: number): void;
}

/**
 * Finds the rules that match an event. At the first event of a combination of verb, resource and subresource the
 * rules are settled as far as these three decide; later events of the combination are asked what is left.
 */
export class RuleIndex {
  private readonly buckets = new RecentMap<string, Bucket>(MAX_BUCKETS);
  private readonly run: Run;
  private readonly verb: number;
  private readonly resource: number;
  private readonly subresource: number;

  /**
   * @param plans - one a rule, made by `planner`
   * @param reader - the reader the plans were compiled for
   */
  constructor(
    private readonly plans: readonly Plan[],
    private readonly planner: Planner,
    reader: FieldReader,
  ) {
    this.run = { reader, mismatchCount: 0, answers: new Uint8Array(0) };
    this.verb = reader.slot({ field: 'Verb' });
    this.resource = reader.slot({ field: 'ObjectRef.Resource' });
    this.subresource = reader.slot({ field: 'ObjectRef.Subresource' });
  }

  /** Asks an event of all rules that may match it, in the order of the plans. */
  evaluate(event: EventFields, listener: Listener): void {
    const { run } = this;
    run.reader.begin(event);
    const bucket = this.bucketOfEvent();
    if (run.answers.length < bucket.answerCount) run.answers = new Uint8Array(bucket.answerCount);
    else run.answers.fill(0, 0, bucket.answerCount);
    for (const { rule, matches } of bucket.candidates) {
      run.mismatchCount = 0;
      if (matches === undefined || matches(run)) listener.matched(rule);
      if (run.mismatchCount > 0) listener.mismatched(rule, run.mismatchCount);
    }
  }

  private bucketOfEvent(): Bucket {
    const { reader } = this.run;
    const verb = keyPart(reader.read(this.verb));
    const resource = keyPart(reader.read(this.resource));
    const subresource = keyPart(reader.read(this.subresource));
    if (verb === undefined || resource === undefined || subresource === undefined) {
      return this.settle();
    }
    const key = `${verb}/${resource}/${subresource}`;
    let bucket = this.buckets.get(key);
    if (bucket === undefined) {
      bucket = this.settle();
      this.buckets.set(key, bucket);
    }
    return bucket;
  }

  /**
   * Settles the rules for the event at hand. What the three fields decide is decided here and nothing of it is left
   * to the order of evaluation, so that no field is read that the projection does not promise.
   */
  private settle(): Bucket {
    const settled = new PartialEvaluation(this.run.reader, this.planner);
    return bucketOf(
      this.plans.flatMap((plan, rule) => {
        const residual = settled.residual(plan);
        if (residual === false) return [];
        return [{ rule, plan: residual === true ? undefined : residual }];
      }),
    );
  }
}

function bucketOf(open: readonly { rule: number; plan: Plan | undefined }[]): Bucket {
  const compiler = new PlanCompiler(open.flatMap(({ plan }) => plan ?? []));
  const candidates = open.map(({ rule, plan }) => ({
    rule,
    matches: plan && compiler.compile(plan),
  }));
  return { candidates, answerCount: compiler.answerCount };
}

/** A part of a bucket's key: unlike for unlike values; undefined if the value is too odd for its bucket to be kept. */
function keyPart(value: JsonValue | undefined): string | undefined {
  if (value === undefined || value === null) return '0';
  if (typeof value !== 'string' || value.length > MAX_KEY_LENGTH) return undefined;
  return `${value.length}:${value}`;
}
