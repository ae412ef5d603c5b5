import type { Diagnostic } from '@auditing/proto/rule';
import { buildRuleSet, type Resource, type RuleSet } from '@auditing/rule-engine/rule-set';
import type { ResourceDocuments } from './resource-documents';

/** A rule set that is tried and never put in force. */
export interface Trial {
  readonly ruleSet: RuleSet;
  /** What is wrong with the texts and with the resources in them. */
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Builds a rule set of the resources in texts.
 *
 * @param webhook the one in force: it decides what the labels of a Rule mean if the texts have none
 */
export function trialOf(texts: readonly ResourceDocuments[], webhook: Resource | undefined): Trial {
  const own = texts.flatMap(({ webhooks }) => webhooks)[0];
  const rules = texts.flatMap((text) => text.rules);
  const ruleSet = buildRuleSet({ rules, webhook: own ?? webhook });
  // What is wrong with the Webhook resource in force is not said of these texts.
  const found = ruleSet.diagnostics.filter(
    ({ resource }) => own !== undefined || !resource.startsWith('Webhook/'),
  );
  return { ruleSet, diagnostics: [...texts.flatMap(({ diagnostics }) => diagnostics), ...found] };
}
