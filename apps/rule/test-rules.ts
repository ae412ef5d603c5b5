import type { TestRequest, TestResponse } from '@auditing/proto/rule';
import { buildRuleSet, type Resources } from '@auditing/rule-engine/rule-set';
import { runRuleTest } from '@auditing/rule-engine/rule-test';
import { RpcError } from '@auditing/service/rpc-error';
import { status } from '@grpc/grpc-js';
import { resourceDocuments } from './resource-documents';
import { trialOf } from './trial';

/**
 * Runs rule tests, on a rule set of their own: what they find is not counted.
 *
 * @param inForce what is tested if the request has no rules; its Webhook counts if the request has none
 * @throws RpcError UNAVAILABLE if there are no rules at all
 */
export function testRules(request: TestRequest, inForce: Resources | undefined): TestResponse {
  const texts = [
    resourceDocuments(request.rules, 'rules'),
    resourceDocuments(request.tests, 'tests'),
  ];
  const hasRules = texts.some(({ rules }) => rules.length > 0);
  if (!hasRules && !inForce)
    throw new RpcError(
      status.UNAVAILABLE,
      'rules: expected rules to test, as none are in force yet',
    );
  const trial = trialOf(texts, inForce?.webhook);
  const [webhook = inForce?.webhook] = texts.flatMap(({ webhooks }) => webhooks);
  const ruleSet =
    hasRules || !inForce ? trial.ruleSet : buildRuleSet({ rules: inForce.rules, webhook });
  const outcomes = texts
    .flatMap(({ tests }) => tests)
    .map((resource) => runRuleTest(ruleSet, resource));
  const results = outcomes.flatMap((outcome) => outcome.results);
  const passedCount = results.filter(({ passed }) => passed).length;
  return {
    results,
    passedCount,
    failedCount: results.length - passedCount,
    diagnostics: [
      ...(hasRules ? trial.diagnostics : texts.flatMap(({ diagnostics }) => diagnostics)),
      ...outcomes.flatMap(({ diagnostics }) => diagnostics),
    ],
  };
}
