import { Severity, type CheckResponse } from '@auditing/proto/rule';
import { buildRuleSet, type Resource } from '@auditing/rule-engine/rule-set';
import { resourceDocuments } from './resource-documents';

/** How diagnostics of the YAML itself call the text. */
const NAME = 'yaml';

/**
 * Says what would be wrong if the resources of this text were loaded, without loading them.
 *
 * @param webhook the one in force: it decides what the labels of a Rule mean if the text has none
 */
export function check(yaml: string, webhook: Resource | undefined): CheckResponse {
  const documents = resourceDocuments(yaml, NAME);
  const [own] = documents.webhooks;
  const built = buildRuleSet({ rules: documents.rules, webhook: own ?? webhook });
  // What is wrong with the Webhook resource in force is not said of this text.
  const found = built.diagnostics.filter(
    ({ resource }) => own !== undefined || !resource.startsWith('Webhook/'),
  );
  return {
    diagnostics: [...documents.diagnostics, ...found],
    ruleCount: built
      .rules()
      .filter((rule) => rule.diagnostics.every(({ severity }) => severity !== Severity.ERROR))
      .length,
  };
}
