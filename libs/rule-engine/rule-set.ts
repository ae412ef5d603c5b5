import type { EventFields, JsonValue } from '@auditing/audit-event/event-fields';
import type { Field, RuleName } from '@auditing/proto/event';
import type {
  Diagnostic,
  Explanation,
  Projection,
  RuleStatus,
  WebhookSettings,
} from '@auditing/proto/rule';
import { createHash } from 'node:crypto';
import type { Condition } from './condition';
import { explainCondition } from './explain';
import { FieldReader, type Root } from './field-source';
import {
  compare,
  loadRules,
  warnOfRemovedOutput,
  type LoadedRule,
  type LoadedRules,
} from './load-rules';
import { compileOutput, type OutputTemplate } from './output-template';
import { Planner, type Plan } from './plan';
import { demandedResources, ProjectionBuilder } from './projection';
import { Report } from './report';
import { ObjectReader } from './resource-reader';
import { RuleIndex, type Listener } from './rule-index';
import { readWebhookResource, type WebhookResource } from './webhook-resource';

/**
 * A resource as plain JSON, as it came out of YAML or the Kubernetes API. Nothing about its shape is believed:
 * whatever is not as expected becomes a diagnostic.
 */
export type Resource = JsonValue;

/** The resources that make a rule set. */
export interface Resources {
  /** Every resource of kind Rule, of all namespaces. */
  readonly rules: readonly Resource[];
  /** The Webhook resource in force; without it the documented defaults hold. */
  readonly webhook?: Resource | undefined;
}

/** How a rule set is built. */
export interface RuleSetOptions {
  /** Fields that whoever evaluates reads besides the rules. */
  readonly alsoRead?: readonly Field[];
}

/** One rule that matched one event. */
export interface MatchedRule {
  /** Index into {@link RuleSet.ruleNames}. */
  readonly rule: number;
  /**
   * The rule's output with the event's values filled in; empty unless it is an alerting rule. If it raises no alert it is mostly
   * not made here, but by whoever shows it: `messageOfFinding`, with the output in the rule's name.
   */
  readonly message: string;
  /** Whether an alert is raised. */
  readonly alert: boolean;
}

/** What the rules say of one event that is kept. */
export interface EventVerdict {
  /** Every rule that keeps the event, highest priority first, then by name. Never empty. */
  readonly findings: readonly MatchedRule[];
}

/** A compiled rule set: made once by {@link buildRuleSet}, replaced as a whole when a resource changes. */
export interface RuleSet {
  /** SHA-256 of the normalised rules and settings, in hexadecimal. */
  readonly version: string;
  /** Settings of the Webhook resource, with defaults filled in. */
  readonly settings: WebhookSettings;
  /** What the rules read of an event. */
  readonly projection: Projection;
  /** What is wrong with the resources: entries that are left out, and warnings. */
  readonly diagnostics: readonly Diagnostic[];
  /** The rules that are evaluated, highest priority first, then by name. */
  readonly ruleNames: readonly RuleName[];
  /** Every entry of type rule, by name, with its counters as of now. */
  rules(): RuleStatus[];
  /**
   * Decides one event. Never throws, whatever the event holds.
   *
   * @returns the verdict; undefined if the event is ignored
   */
  evaluate(event: EventFields): EventVerdict | undefined;
  /**
   * Says of every part of a rule's condition what it sees in an event and what comes out.
   *
   * @param rule - its name
   * @returns undefined if there is no such rule, or it is left out
   */
  explain(rule: string, event: EventFields): Explanation | undefined;
}

/**
 * Checks and compiles the rules. A bad entry is left out alone and named in the diagnostics; nothing throws.
 *
 * @param resources - the resources as plain JSON
 */
export function buildRuleSet(resources: Resources, options: RuleSetOptions = {}): RuleSet {
  const webhookReport = new Report(`Webhook/${webhookName(resources.webhook)}`);
  const webhook = readWebhookResource(resources.webhook, webhookReport);
  const loaded = loadRules(resources.rules, webhook, webhookReport);
  const compiled = compileRules(loaded.rules, webhook);
  const reports = [webhookReport, ...loaded.resources.map(({ report }) => report)];
  return new CompiledRuleSet(loaded, webhook, {
    ...compiled,
    alsoRead: options.alsoRead ?? [],
    diagnostics: reports.flatMap(({ diagnostics }) => diagnostics),
  });
}

function webhookName(webhook: Resource | undefined): string {
  const name = ObjectReader.of(webhook, '', new Report('')).child('metadata').text('name');
  return name === '' ? 'kube-auditing-webhook' : name;
}

/** A rule that is evaluated. */
interface ActiveRule {
  readonly rule: LoadedRule;
  readonly plan: Plan;
  readonly condition: Condition;
  /** Undefined if it only archives. */
  readonly output: OutputTemplate | undefined;
  readonly alert: boolean;
  /** Whether its message is made when it is read: it raises no alert, and what it reads will still be there. */
  readonly isDeferred: boolean;
}

interface CompiledRules {
  readonly active: readonly ActiveRule[];
  readonly index: RuleIndex;
  readonly reader: FieldReader;
}

function compileRules(rules: readonly LoadedRule[], webhook: WebhookResource): CompiledRules {
  const reader = new FieldReader();
  const planner = new Planner(reader);
  const active: ActiveRule[] = [];
  for (const rule of rules) {
    const output = rule.alerting ? compileOutput(rule.entry.output, rule.scope, reader) : undefined;
    const { condition, entry, report } = rule;
    report.problems(`${entry.path}.output`, entry.output, output?.problems ?? []);
    if (condition === undefined || !isEffective(rule, webhook)) continue;
    const plan = planner.plan(condition);
    if ('severity' in plan) {
      // The parts of the condition were checked where they stand, so that this is a last resort.
      report.problems(`${entry.path}.condition`, entry.condition, [plan]);
      continue;
    }
    warnOfRemovedOutput(rule, output?.roots ?? [], webhook.settings.auditLevel);
    const alert = rule.alerting && entry.priority >= webhook.settings.alertingPriority;
    const isDeferred = !alert && output?.roots.every(isArchived) === true;
    active.push({ rule, plan, condition, output, alert, isDeferred });
  }
  active.sort(
    (a, b) => b.rule.entry.priority - a.rule.entry.priority || compare(a.rule.name, b.rule.name),
  );
  const indexed = active.map(({ plan, condition }) => ({
    plan,
    resources: demandedResources(condition),
  }));
  return { active, reader, index: new RuleIndex(indexed, planner, reader) };
}

/** Whether it is in every archived event that had it: request and response objects can be removed. */
function isArchived(root: Root): boolean {
  return !('field' in root) || (root.field !== 'RequestObject' && root.field !== 'ResponseObject');
}

/** Whether a match would do anything: alerting rules always archive, archiving ones from a priority on. */
function isEffective(
  { alerting, archiving, entry }: LoadedRule,
  webhook: WebhookResource,
): boolean {
  if (!entry.enable) return false;
  return alerting || (archiving && entry.priority >= webhook.settings.archivingPriority);
}

interface CompiledParts extends CompiledRules {
  readonly alsoRead: readonly Field[];
  readonly diagnostics: readonly Diagnostic[];
}

class CompiledRuleSet implements RuleSet {
  readonly version: string;
  readonly settings: WebhookSettings;
  readonly projection: Projection;
  readonly ruleNames: readonly RuleName[];
  readonly diagnostics: readonly Diagnostic[];
  private readonly matchCounts: number[];
  private readonly mismatchCounts: number[];

  constructor(
    private readonly loaded: LoadedRules,
    webhook: WebhookResource,
    private readonly compiled: CompiledParts,
  ) {
    const { active, diagnostics, alsoRead } = compiled;
    const projection = new ProjectionBuilder(alsoRead);
    for (const { condition, output, isDeferred } of active)
      projection.add(condition, isDeferred ? [] : (output?.roots ?? []));
    this.projection = projection.build();
    this.settings = webhook.settings;
    this.diagnostics = diagnostics;
    this.version = hashOf(loaded, webhook, alsoRead);
    this.ruleNames = active.map(({ rule, output, isDeferred }) => ({
      name: rule.name,
      priority: rule.entry.priority,
      output: isDeferred ? [...(output?.parts ?? [])] : [],
    }));
    this.matchCounts = active.map(() => 0);
    this.mismatchCounts = active.map(() => 0);
  }

  rules(): RuleStatus[] {
    const places = new Map(this.compiled.active.map(({ rule }, place) => [rule, place]));
    return this.loaded.rules.map((rule) => {
      const { name, entry, archiving, alerting, report } = rule;
      const place = places.get(rule);
      const { desc, condition, output, priority, path } = entry;
      return {
        ...{ name, desc, condition, output, priority, archiving, alerting },
        active: place !== undefined,
        diagnostics: report.diagnostics.filter((found) => found.path.startsWith(`${path}.`)),
        matchCount: BigInt(this.matchCounts[place ?? -1] ?? 0),
        typeMismatchCount: BigInt(this.mismatchCounts[place ?? -1] ?? 0),
      };
    });
  }

  evaluate(event: EventFields): EventVerdict | undefined {
    const { index, reader } = this.compiled;
    this.foundCount = 0;
    index.evaluate(event, this.listener);
    reader.end();
    return this.foundCount === 0 ? undefined : { findings: this.found.slice(0, this.foundCount) };
  }

  explain(name: string, event: EventFields): Explanation | undefined {
    const condition = this.loaded.rules.find((rule) => rule.name === name)?.condition;
    return condition && explainCondition(condition, event);
  }

  /** The findings of the event at hand: the first `foundCount`. A list made for each would have room for 17 of them. */
  private readonly found: MatchedRule[] = [];
  private foundCount = 0;

  /** One for all events: it is called for each. */
  private readonly listener: Listener = {
    matched: (rule) => {
      const active = this.compiled.active[rule];
      this.matchCounts[rule] = (this.matchCounts[rule] ?? 0) + 1;
      const isNow = active?.isDeferred === false;
      const message = isNow ? (active.output?.render(this.compiled.reader) ?? '') : '';
      this.found[this.foundCount] = { rule, message, alert: active?.alert ?? false };
      this.foundCount += 1;
    },
    mismatched: (rule, count) => {
      this.mismatchCounts[rule] = (this.mismatchCounts[rule] ?? 0) + count;
    },
  };
}

/** Raised when the same resources come to read other fields, or say it otherwise: services of two versions must not take theirs for one set. */
const FORMAT = 2;

/** Equal for rule sets that decide alike: the resources as read, in one order. */
function hashOf(
  { resources }: LoadedRules,
  webhook: WebhookResource,
  alsoRead: readonly Field[],
): string {
  const rules = resources.map(({ name, namespace, labels, hasMacroParentheses, entries }) => ({
    ...{ name, namespace, hasMacroParentheses },
    labels: [...labels].sort(([a], [b]) => compare(a, b)),
    entries: [...entries.values()].map(({ path: _path, ...entry }) => entry),
  }));
  return createHash('sha256')
    .update(JSON.stringify({ FORMAT, rules, webhook, ...(alsoRead.length > 0 && { alsoRead }) }))
    .digest('hex');
}
