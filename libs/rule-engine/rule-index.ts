import type { EventFields, JsonValue } from '@auditing/audit-event/event-fields';
import { bucketOf, wantedBy, type Bucket, type Candidate } from './bucket';
import type { FieldReader } from './field-source';
import { PartialEvaluation, type Plan, type Planner } from './plan';
import { RecentMap } from './recent-map';
import type { Run } from './run';

/** How many combinations of verb, resource and subresource are kept compiled; real clusters have about 300. */
const MAX_BUCKETS = 2_048;

/** Longest verb, resource or subresource that gets a bucket, in UTF-16 units: real ones are names. */
const MAX_KEY_LENGTH = 128;

/** One rule to be indexed. */
export interface IndexedRule {
  readonly plan: Plan;
  /** The resources that it can match an event of; undefined if any. */
  readonly resources: ReadonlySet<string> | undefined;
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
  private readonly byResource: RulesByResource;
  /** Rules that match the event at hand. */
  private readonly matched: number[] = [];
  /** Of the last event: what an event is, the next one often is too. */
  private last:
    { verb: unknown; resource: unknown; subresource: unknown; bucket: Bucket } | undefined;

  /**
   * @param rules - their plans were made by `planner`
   * @param reader - the reader the plans were compiled for
   */
  constructor(
    private readonly rules: readonly IndexedRule[],
    private readonly planner: Planner,
    reader: FieldReader,
  ) {
    this.byResource = new RulesByResource(rules);
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
    const { matched } = this;
    matched.length = 0;
    for (const candidate of bucket.candidates) this.ask(candidate, listener);
    for (const lookup of bucket.lookups) {
      const before = matched.length;
      const wanted = wantedBy(lookup, run.reader.read(lookup.slot));
      for (const candidate of wanted) this.ask(candidate, listener);
      if (before > 0 && matched.length > before) matched.sort(byNumber);
    }
    for (const rule of matched) listener.matched(rule);
  }

  private ask({ rule, matches }: Candidate, listener: Listener): void {
    const { run } = this;
    run.mismatchCount = 0;
    if (matches === undefined || matches(run)) this.matched.push(rule);
    if (run.mismatchCount > 0) listener.mismatched(rule, run.mismatchCount);
  }

  private bucketOfEvent(): Bucket {
    const { reader } = this.run;
    const verb = reader.read(this.verb);
    const resource = reader.read(this.resource);
    const subresource = reader.read(this.subresource);
    const { last } = this;
    const isLast =
      last?.verb === verb && last?.resource === resource && last?.subresource === subresource;
    if (last !== undefined && isLast) return last.bucket;
    const key = bucketKey(verb, resource, subresource);
    if (key === undefined) return this.settle();
    let bucket = this.buckets.get(key);
    if (bucket === undefined) {
      bucket = this.settle();
      this.buckets.set(key, bucket);
    }
    this.last = { verb, resource, subresource, bucket };
    return bucket;
  }

  /**
   * Settles the rules for the event at hand. What the three fields decide is decided here and nothing of it is left
   * to the order of evaluation, so that no field is read that the projection does not promise.
   */
  private settle(): Bucket {
    const settled = new PartialEvaluation(this.run.reader, this.planner);
    return bucketOf(
      this.byResource.of(this.run.reader.read(this.resource)).flatMap((rule) => {
        const plan = this.rules[rule]?.plan;
        const residual = plan !== undefined && settled.residual(plan);
        if (residual === false) return [];
        return [{ rule, plan: residual === true ? undefined : residual }];
      }),
    );
  }
}

/**
 * Which rules are to be settled at all: anybody who may send requests can make up resources, and each new one must not
 * cost a look at every rule.
 */
class RulesByResource {
  private readonly everywhere: number[] = [];
  private readonly bound = new Map<string, number[]>();
  private readonly all: readonly number[];

  constructor(rules: readonly IndexedRule[]) {
    this.all = rules.map((_rule, place) => place);
    for (const [place, { resources }] of rules.entries()) {
      if (resources === undefined) this.everywhere.push(place);
      else for (const resource of resources) this.bindTo(resource, place);
    }
  }

  /** The rules that may match an event of this resource, in order. */
  of(resource: JsonValue | undefined): readonly number[] {
    if (resource === undefined || resource === null) return this.everywhere;
    // What is no text is compared as one; that is rare enough to ask everybody.
    if (typeof resource !== 'string') return this.all;
    const bound = this.bound.get(resource);
    return bound === undefined ? this.everywhere : [...bound, ...this.everywhere].sort(byNumber);
  }

  private bindTo(resource: string, place: number): void {
    const places = this.bound.get(resource);
    if (places === undefined) this.bound.set(resource, [place]);
    else places.push(place);
  }
}

function byNumber(a: number, b: number): number {
  return a - b;
}

/** Unlike for unlike kinds of events; undefined if the event is too odd for its bucket to be kept. */
function bucketKey(...values: readonly (JsonValue | undefined)[]): string | undefined {
  let key = '';
  for (const value of values) {
    const part = keyPart(value);
    if (part === undefined) return undefined;
    key += `/${part}`;
  }
  return key;
}

/** A part of a bucket's key: unlike for unlike values; undefined if the value is too odd for its bucket to be kept. */
function keyPart(value: JsonValue | undefined): string | undefined {
  if (value === undefined || value === null) return '0';
  if (typeof value !== 'string' || value.length > MAX_KEY_LENGTH) return undefined;
  return `${value.length}:${value}`;
}
