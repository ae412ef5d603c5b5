import type { JsonValue } from '@auditing/audit-event/event-fields';
import { isJsonObject } from '@auditing/audit-event/field-keys';
import type { Plan } from './plan';
import { PlanCompiler, type CompiledCondition } from './run';
import { textOfValue } from './text-value';

/** One rule that is still open for a kind of event; without a condition it matches all of them. */
export interface Candidate {
  readonly rule: number;
  readonly matches: CompiledCondition | undefined;
}

/** Rules that each want another text of one field, by that text: an event is asked of those alone that want its own. */
export interface Lookup {
  /** Where the reader has the field. */
  readonly slot: number;
  readonly byText: ReadonlyMap<string, readonly Candidate[]>;
}

/** The rules that are left for one combination of verb, resource and subresource. */
export interface Bucket {
  /** Asked of every event. */
  readonly candidates: readonly Candidate[];
  readonly lookups: readonly Lookup[];
  /** How long `Run.answers` must be. */
  readonly answerCount: number;
}

/** A rule and what is left of its plan; undefined if nothing is. */
export interface OpenRule {
  readonly rule: number;
  readonly plan: Plan | undefined;
}

/** Fewer rules that want a text of the same field are asked one by one: looking up costs as much as two. */
const LOOKUP_MIN = 3;

/** Makes functions of the plans that are left. */
export function bucketOf(open: readonly OpenRule[]): Bucket {
  const compiler = new PlanCompiler(open.flatMap(({ plan }) => plan ?? []));
  const candidateOf = ({ rule, plan }: OpenRule): Candidate => ({
    rule,
    matches: plan && compiler.compile(plan),
  });
  const bySlot = grouped(open, ({ plan }) => wantedText(plan)?.slot);
  const lookups: Lookup[] = [];
  const candidates: OpenRule[] = [];
  for (const [slot, rules] of bySlot) {
    if (slot === undefined || rules.length < LOOKUP_MIN) candidates.push(...rules);
    else lookups.push({ slot, byText: byText(rules, candidateOf) });
  }
  candidates.sort((a, b) => a.rule - b.rule);
  return {
    candidates: candidates.map(candidateOf),
    lookups,
    answerCount: compiler.answerCount,
  };
}

/** The text of a field without which a plan does not hold, if that is the first thing it asks for. */
function wantedText(plan: Plan | undefined): { slot: number; text: string } | undefined {
  const first = plan?.kind === 'and' ? plan.parts[0] : plan;
  return first?.kind === 'test' ? first.equals : undefined;
}

function byText(
  rules: readonly OpenRule[],
  candidateOf: (rule: OpenRule) => Candidate,
): Lookup['byText'] {
  const byWanted = grouped(rules, ({ plan }) => wantedText(plan)?.text ?? '');
  return new Map(
    [...byWanted].map(([text, wanting]) => [
      text,
      wanting.map((open) =>
        // Whose text is found is proven, if it asks for nothing else.
        open.plan?.kind === 'test' ? { rule: open.rule, matches: undefined } : candidateOf(open),
      ),
    ]),
  );
}

/** Map.groupBy, which Node 20 does not have. */
function grouped<Item, Key>(items: readonly Item[], keyOf: (item: Item) => Key): Map<Key, Item[]> {
  const groups = new Map<Key, Item[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}

/** The candidates of a lookup for the value of its field. */
export function wantedBy(
  { byText: found }: Lookup,
  value: JsonValue | undefined,
): readonly Candidate[] {
  // As at the end of a path: no text is in what is missing, or in an object.
  if (value === undefined || value === null || isJsonObject(value)) return NONE;
  return found.get(textOfValue(value)) ?? NONE;
}

const NONE: readonly Candidate[] = [];
