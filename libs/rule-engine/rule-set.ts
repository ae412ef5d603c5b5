import type { EventFields, JsonValue } from '@auditing/audit-event/event-fields';
import type { RuleName } from '@auditing/proto/event';
import type { Diagnostic, Projection, RuleStatus, WebhookSettings } from '@auditing/proto/rule';

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

/** One rule that matched one event. */
export interface MatchedRule {
  /** Index into {@link RuleSet.ruleNames}. */
  readonly rule: number;
  /** The rule's output with the event's values filled in; empty unless it is an alerting rule. */
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
}

/**
 * Checks and compiles the rules. A bad entry is left out alone and named in the diagnostics; nothing throws.
 *
 * @param resources - the resources as plain JSON
 */
export function buildRuleSet(resources: Resources): RuleSet {
  throw new Error(`not built yet (${resources.rules.length} rules)`);
}
