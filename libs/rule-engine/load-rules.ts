import { Level, Priority } from '@auditing/proto/event';
import type { Condition } from './condition';
import { checkTest } from './check';
import { contradictionsIn } from './contradiction';
import { Dictionary } from './dictionary';
import type { Scope } from './expand';
import { resolvePath, type Root } from './field-source';
import { printSelector, selects, type LabelSelector } from './label-selector';
import { matchesNothing } from './projection';
import type { Report } from './report';
import { readRuleResource, type RuleEntry, type RuleResource } from './rule-resource';
import type { Resource } from './rule-set';
import type { WebhookResource } from './webhook-resource';

/** One entry of type rule. */
export interface LoadedRule {
  /** `<Rule resource>.<entry>`, unique in the rule set. */
  readonly name: string;
  readonly entry: RuleEntry;
  /** Expanded; undefined if the rule is left out. */
  readonly condition: Condition | undefined;
  /** What names in its output mean. */
  readonly scope: Scope;
  readonly report: Report;
  /** Whether the archiving selector picks its resource. */
  readonly archiving: boolean;
  /** Whether the alerting selector picks its resource. */
  readonly alerting: boolean;
}

/** Every Rule resource, read and checked. */
export interface LoadedRules {
  /** By name, then namespace. */
  readonly resources: readonly RuleResource[];
  /** By name. */
  readonly rules: readonly LoadedRule[];
}

/** Reads, expands and checks all Rule resources. */
export function loadRules(
  resources: readonly Resource[],
  webhook: WebhookResource,
  webhookReport: Report,
): LoadedRules {
  const read = resources
    .map(readRuleResource)
    .sort((a, b) => compare(a.name, b.name) || compare(a.namespace, b.namespace))
    .map(withoutTwin);
  warnOfEqualNames(read);
  warnOfIdleSelector(read, webhook.archiving, ['archiving', webhookReport]);
  warnOfIdleSelector(read, webhook.alerting, ['alerting', webhookReport]);
  const dictionary = new Dictionary(read, checkTest);
  const taken = new Set<string>();
  const rules: LoadedRule[] = [];
  for (const resource of read) {
    for (const entry of resource.entries.values()) {
      if (entry.type !== 'rule') {
        dictionary.check(resource, entry);
        continue;
      }
      const short = `${resource.name}.${entry.name}`;
      const name = taken.has(short) ? `${resource.namespace}/${short}` : short;
      taken.add(name);
      rules.push({
        name,
        entry,
        condition: readCondition(dictionary, resource, entry),
        scope: dictionary.scope(resource),
        report: resource.report,
        archiving: selects(webhook.archiving, resource.labels),
        alerting: selects(webhook.alerting, resource.labels),
      });
    }
  }
  for (const rule of rules) warnOfIdleRule(rule, webhook);
  return { resources: read, rules: rules.sort((a, b) => compare(a.name, b.name)) };
}

/** Compares by code units: the same everywhere, unlike by locale. */
export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function readCondition(
  dictionary: Dictionary,
  resource: RuleResource,
  entry: RuleEntry,
): Condition | undefined {
  const path = `${entry.path}.condition`;
  if (entry.condition.trim() === '') {
    resource.report.error(path, 'expected a condition, such as Verb = "create"');
    return undefined;
  }
  return dictionary.read(resource, entry.condition, path)?.condition;
}

/**
 * A resource without entries if the one before it has its name and namespace: in a cluster there is no such thing, in a
 * folder it is a copy that somebody forgot, and no finding could say which of the two it comes from.
 */
function withoutTwin(
  resource: RuleResource,
  i: number,
  all: readonly RuleResource[],
): RuleResource {
  const before = all[i - 1];
  const isTwin = before?.name === resource.name && before.namespace === resource.namespace;
  if (!isTwin || resource.name === '') return resource;
  resource.report.error(
    'metadata.name',
    'there is another Rule of this name and namespace; the first one counts, this one is left out',
  );
  return { ...resource, entries: new Map() };
}

function warnOfEqualNames(resources: readonly RuleResource[]): void {
  for (const [i, { name, namespace, report }] of resources.entries()) {
    const before = resources[i - 1];
    if (before === undefined || before.name !== name || name === '') continue;
    if (before.namespace === namespace) continue;
    const message = `there is a Rule \`${name}\` in the namespaces \`${before.namespace}\` and \`${namespace}\`; \${${name}.…} means the first one`;
    report.warn('metadata.name', message);
  }
}

function warnOfIdleSelector(
  resources: readonly RuleResource[],
  selector: LabelSelector,
  [kind, report]: ['archiving' | 'alerting', Report],
): void {
  if (resources.some(({ labels }) => selects(selector, labels))) return;
  const present = [...new Set(resources.map(({ labels }) => labels.get('type')))].filter(Boolean);
  const fix = present.includes(kind) ? `: write matchLabels {type: ${kind}}` : '';
  const hint =
    present.length === 0 ? '' : `; the Rules are labelled type: ${present.join(', type: ')}${fix}`;
  const effect = kind === 'archiving' ? 'archived by priority' : 'raised as an alert';
  const path = `spec.auditSinkPolicy.${kind}RuleSelector`;
  report.warn(path, `${printSelector(selector)} picks no Rule, so nothing is ${effect}${hint}`);
}

/** Warns of an enabled rule that is well-formed and yet does nothing. */
function warnOfIdleRule(rule: LoadedRule, webhook: WebhookResource): void {
  const { entry, report, condition } = rule;
  if (!entry.enable || condition === undefined) return;
  const path = `${entry.path}.condition`;
  const contradictions = contradictionsIn(condition);
  for (const parts of contradictions) report.warn(path, `no event can satisfy ${parts}`);
  if (contradictions.length === 0 && matchesNothing(condition))
    report.warn(path, 'no event can match: parts of the condition exclude each other');
  const missing = missingBody(condition, webhook.settings.auditLevel);
  if (missing !== undefined) {
    const message = `the rule reads ${missing}, which the auditLevel ${levelName(webhook.settings.auditLevel)} removes from events of Kube AI Hub`;
    report.warn(path, message);
  }
  const { archivingPriority } = webhook.settings;
  const isBelow = rule.archiving && !rule.alerting && entry.priority < archivingPriority;
  if (isBelow && entry.priority !== Priority.UNSPECIFIED) {
    report.warn(
      `${entry.path}.priority`,
      'the priority is below archivingPriority: the rule does nothing',
    );
  }
}

/** The body that a condition reads although the level removes it. */
function missingBody(condition: Condition, level: Level): string | undefined {
  switch (condition.kind) {
    case 'and':
    case 'or':
      return condition.operands
        .map((operand) => missingBody(operand, level))
        .find((body) => body !== undefined);
    case 'not':
      return missingBody(condition.operand, level);
    default: {
      const { root } = resolvePath(condition.path);
      return isRemoved(root, level) && 'field' in root ? root.field : undefined;
    }
  }
}

/** Warns of an output that shows a body although the level removes it. */
export function warnOfRemovedOutput(
  { entry, report }: LoadedRule,
  roots: readonly Root[],
  level: Level,
): void {
  const removed = roots.find((root) => isRemoved(root, level));
  if (removed === undefined || !('field' in removed)) return;
  const message = `the output shows ${removed.field}, which the auditLevel ${levelName(level)} removes from events of Kube AI Hub: it is empty there`;
  report.warn(`${entry.path}.output`, message);
}

function isRemoved(root: Root, level: Level): boolean {
  const field = 'field' in root ? root.field : '';
  return (
    (field === 'RequestObject' && level < Level.REQUEST) ||
    (field === 'ResponseObject' && level < Level.REQUEST_RESPONSE)
  );
}

/** A level that removes bodies, by its name. */
function levelName(level: Level): string {
  if (level === Level.REQUEST) return 'Request';
  return level === Level.NONE ? 'None' : 'Metadata';
}
