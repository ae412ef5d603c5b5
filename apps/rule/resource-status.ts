import type { RuleStatusFields } from '@auditing/kubernetes/crds/rule-schema';
import type { WebhookStatusFields } from '@auditing/kubernetes/crds/webhook-schema';
import { datedConditions, fact, type Fact } from '@auditing/kubernetes/dated-conditions';
import { Severity, type Diagnostic } from '@auditing/proto/rule';
import type { RuleSet } from '@auditing/rule-engine/rule-set';
import { receiversHealthy, type ReceiversHealth } from './receiver-health';
import { nameOf, type AuditingObject } from './rule-source-kubernetes';

/** A status lists at most this many warnings: it is read by people. */
const MAX_WARNINGS = 20;

/** What a status is made of. */
export interface StatusParts {
  /** The rule set in force. */
  readonly ruleSet: RuleSet;
  /** Why the newest version of a resource does not act, by its name. */
  readonly held: ReadonlyMap<string, readonly Diagnostic[]>;
  readonly webhookName: string;
  /** Undefined if the alert service is not asked, or has not been yet. */
  readonly receivers?: ReceiversHealth | undefined;
}

/** The status of a Rule resource. */
export function ruleStatus(
  object: AuditingObject,
  { ruleSet, held }: StatusParts,
): RuleStatusFields {
  const name = nameOf(object);
  const found = ruleSet.diagnostics.filter(({ resource }) => resource === name);
  const heldErrors = held.get(name) ?? [];
  const isHeld = heldErrors.length > 0;
  const errors = isHeld ? heldErrors : found.filter(isError);
  const own = rulesOf(object, ruleSet);
  const [first] = errors;
  return {
    ...common(object, found),
    ruleCount: own.count,
    activeRuleCount: own.activeCount,
    errorCount: errors.length,
    ...(first && {
      lastError: {
        path: placed(first, name),
        line: first.line,
        column: first.column,
        message: first.message,
      },
    }),
    conditions: datedConditions(object, [readyRule(errors, { isHeld, ...own }, name)]),
  };
}

function readyRule(
  errors: readonly Diagnostic[],
  { isHeld, count, activeCount, isPicked }: RuleCounts & { readonly isHeld: boolean },
  name: string,
): Fact {
  const [first] = errors;
  if (!first) {
    return isPicked || count === 0
      ? fact('Ready', true, ['InForce', `${activeCount} of ${count} rules are evaluated`])
      : fact('Ready', true, [
          'NotPicked',
          'no selector of the Webhook resource picks the labels of this Rule, so its matches do nothing',
        ]);
  }
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : '';
  const effect = isHeld
    ? 'the version before this edit stays in force'
    : 'entries with errors are left out, all others are in force';
  const words = `${placeText(first, name)}: ${first.message}${more}; ${effect}`;
  return fact('Ready', false, [isHeld ? 'EditHeldBack' : 'EntriesLeftOut', words]);
}

interface RuleCounts {
  readonly count: number;
  readonly activeCount: number;
  /** Whether a selector picks the resource. */
  readonly isPicked: boolean;
}

function rulesOf(object: AuditingObject, ruleSet: RuleSet): RuleCounts {
  const entries = (object.spec as { readonly rules?: unknown } | undefined)?.rules;
  const names = (Array.isArray(entries) ? (entries as unknown[]) : []).flatMap((entry) => {
    const { type, name } = (entry ?? {}) as { readonly type?: unknown; readonly name?: unknown };
    return type === 'rule' && typeof name === 'string' ? [name] : [];
  });
  const { name, namespace } = object.metadata;
  const all = new Map(ruleSet.rules().map((rule) => [rule.name, rule]));
  // Of two resources with one name the second one's rules carry the namespace.
  const mine = names.flatMap((entry) => {
    const short = `${name}.${entry}`;
    const rule = all.get(`${namespace ?? ''}/${short}`) ?? all.get(short);
    return rule ? [rule] : [];
  });
  return {
    count: names.length,
    activeCount: mine.filter(({ active }) => active).length,
    isPicked: mine.some(({ archiving, alerting }) => archiving || alerting),
  };
}

/** The status of a Webhook resource, as far as the rule service knows. */
export function webhookStatus(object: AuditingObject, parts: StatusParts): WebhookStatusFields {
  const { ruleSet, held, webhookName, receivers } = parts;
  const name = nameOf(object);
  if (object.metadata.name !== webhookName) {
    const words = `rules follow the Webhook resource ${webhookName} alone; of this one only what its gateways need is used`;
    const facts = [fact('Ready', false, ['NotInForce', words])];
    return { ...generationOf(object), conditions: datedConditions(object, facts) };
  }
  const found = ruleSet.diagnostics.filter(({ resource }) => resource === name);
  const heldErrors = held.get(name) ?? [];
  const errors = heldErrors.length > 0 ? heldErrors : found.filter(isError);
  return {
    ...common(object, found),
    ruleSetVersion: ruleSet.version,
    ruleCount: ruleSet.ruleNames.length,
    ...(receivers && !('unknown' in receivers) && { receivers: [...receivers] }),
    conditions: datedConditions(object, [
      readyWebhook(errors, heldErrors.length > 0, name),
      warned(found.filter((one) => !isError(one))),
      kubernetesAuditing(ruleSet.settings.k8sAuditingEnabled),
      ...(receivers ? [receiversHealthy(receivers)] : []),
    ]),
  };
}

function readyWebhook(errors: readonly Diagnostic[], isHeld: boolean, name: string): Fact {
  const [first] = errors;
  if (!first) return fact('Ready', true, ['InForce', 'the settings are in force']);
  const effect = isHeld ? 'the version before this edit stays in force' : 'the rest is in force';
  const words = `${placeText(first, name)}: ${first.message}; ${effect}`;
  return fact('Ready', false, [isHeld ? 'EditHeldBack' : 'PartLeftOut', words]);
}

function warned(warnings: readonly Diagnostic[]): Fact {
  if (warnings.length === 0) return fact('Warned', false, ['NoWarnings', 'nothing is warned of']);
  return fact('Warned', true, ['SeeWarnings', warnings.map(warningText).join(' | ')]);
}

function kubernetesAuditing(isEnabled: boolean): Fact {
  return isEnabled
    ? fact('KubernetesAuditing', true, ['Enabled', 'events of Kubernetes are kept'])
    : fact('KubernetesAuditing', false, [
        'Disabled',
        'events of Kubernetes are answered, counted and not kept; set spec.k8sAuditingEnabled: true to keep them',
      ]);
}

function common(
  object: AuditingObject,
  found: readonly Diagnostic[],
): Pick<RuleStatusFields, 'observedGeneration' | 'warnings'> {
  const warnings = found.filter((one) => !isError(one)).map(warningText);
  return {
    ...generationOf(object),
    ...(warnings.length > 0 && { warnings: warnings.slice(0, MAX_WARNINGS) }),
  };
}

function generationOf({ metadata }: AuditingObject): { observedGeneration?: number } {
  return metadata.generation === undefined ? {} : { observedGeneration: metadata.generation };
}

function isError({ severity }: Diagnostic): boolean {
  return severity === Severity.ERROR;
}

/** The path, with the resource in front if an edit broke another one. */
function placed({ path, resource }: Diagnostic, name: string): string {
  return resource === name ? path : `${resource} ${path}`;
}

/** Where an error is, such as `spec.rules[3].condition:1:14`. */
function placeText(error: Diagnostic, name: string): string {
  const place = placed(error, name);
  return error.line > 0 ? `${place}:${error.line}:${error.column}` : place;
}

function warningText({ path, message }: Diagnostic): string {
  return path === '' ? message : `${path}: ${message}`;
}
