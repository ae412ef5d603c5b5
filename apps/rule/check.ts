import { Severity, type CheckResponse } from '@auditing/proto/rule';
import type { Resource } from '@auditing/rule-engine/rule-set';
import { resourceDocuments } from './resource-documents';
import { trialOf } from './trial';

/** How diagnostics of the YAML itself call the text. */
const NAME = 'yaml';

/**
 * Says what would be wrong if the resources of this text were loaded, without loading them.
 *
 * @param webhook the one in force: it decides what the labels of a Rule mean if the text has none
 */
export function check(yaml: string, webhook: Resource | undefined): CheckResponse {
  const { ruleSet, diagnostics } = trialOf([resourceDocuments(yaml, NAME)], webhook);
  return {
    diagnostics: [...diagnostics],
    ruleCount: ruleSet
      .rules()
      .filter((rule) => rule.diagnostics.every(({ severity }) => severity !== Severity.ERROR))
      .length,
  };
}
