import { batchName } from '@auditing/audit-event/batch-name';
import {
  EvaluateResponse,
  type EvaluateRequest,
  type RuleServiceService,
} from '@auditing/proto/rule';
import type { Api } from '@auditing/service/rpc';
import { RpcError } from '@auditing/service/rpc-error';
import { answerStream } from '@auditing/service/stream-call';
import { traced, type Tracing } from '@auditing/service/tracing';
import { status } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { check } from './check';
import { evaluateBatch, type EvaluateWith } from './evaluate';
import { explain } from './explain';
import type { RuleMetrics } from './metrics';
import { probeRules } from './probe-rule';
import { resourceDocuments } from './resource-documents';
import type { RuleSetInForce, RuleSets } from './rule-sets';
import { testRules } from './test-rules';
import { trialOf } from './trial';
import type { Workspaces } from './workspaces';

/** Deciding takes the processor and nothing else, so more at once would only wait for each other here. */
const STREAM_WINDOW = 4;

/** What the service works with. */
export interface RuleServiceParts {
  readonly ruleSets: RuleSets;
  /** Says the workspace of an event that has none; undefined outside of a cluster. */
  readonly workspaces?: Workspaces | undefined;
  readonly metrics: RuleMetrics;
  readonly tracing: Tracing;
  readonly log: Logger;
}

/** The rule service, as rule.proto describes it. */
export function ruleServiceApi({
  ruleSets,
  workspaces,
  metrics,
  tracing,
  log,
}: RuleServiceParts): Api<typeof RuleServiceService> {
  const decider = (): EvaluateWith => ({ ruleSet: inForce(ruleSets).compiled, workspaces });
  const decideProbe = probeDecider(ruleSets);
  const api: Api<typeof RuleServiceService> = {
    evaluate: traced(tracing, 'RuleService/Evaluate', async (request: EvaluateRequest, signal) => {
      if (request.probe) return decideProbe(request, signal);
      try {
        const verdicts = await evaluateBatch(decider(), request, signal);
        const keptCount = verdicts.verdicts.length;
        metrics.batchEvaluated(keptCount + verdicts.ignoredCount, keptCount);
        return { call: request.call, verdicts, error: undefined };
      } catch (error) {
        if (error instanceof RpcError && error.code === status.FAILED_PRECONDITION)
          metrics.batchStale();
        throw error;
      }
    }),
    evaluateStream: answerStream((request, signal) => api.evaluate(request, signal), {
      response: EvaluateResponse,
      window: STREAM_WINDOW,
      log,
      subject: ({ batch }) => ({ batch: batchName(batch?.id) }),
    }),
    watch: ({ knownVersion }, signal) => ruleSets.watch(knownVersion, signal),
    getRuleSet: () => settled(() => ruleSets.message() ?? noneYet()),
    listRules: () =>
      settled(() => {
        inForce(ruleSets);
        return { rules: ruleSets.rules() };
      }),
    check: ({ yaml }) => settled(() => check(yaml, ruleSets.inForce?.stored.resources.webhook)),
    explain: (request) =>
      settled(() => {
        const { rules } = request;
        if (rules === '') return explain(inForce(ruleSets).compiled, request);
        const webhook = ruleSets.inForce?.stored.resources.webhook;
        return explain(trialOf([resourceDocuments(rules, 'rules')], webhook).ruleSet, request);
      }),
    test: (request) => settled(() => testRules(request, ruleSets.inForce?.stored.resources)),
  };
  return api;
}

/** Decides the events of probes. Their verdict names the set in force: without one nothing is decided. */
function probeDecider(
  ruleSets: RuleSets,
): (request: EvaluateRequest, signal: AbortSignal) => Promise<EvaluateResponse> {
  const probes: EvaluateWith = { ruleSet: probeRules(), workspaces: undefined };
  return async (request, signal) => {
    const { version: ruleSetVersion } = inForce(ruleSets).compiled;
    const verdicts = await evaluateBatch(probes, request, signal);
    return { call: request.call, verdicts: { ...verdicts, ruleSetVersion }, error: undefined };
  };
}

/** A promise of what is known at once; what is thrown rejects it. */
function settled<T>(work: () => T): Promise<T> {
  return new Promise((resolve) => resolve(work()));
}

function inForce(ruleSets: RuleSets): RuleSetInForce {
  return ruleSets.inForce ?? noneYet();
}

function noneYet(): never {
  throw new RpcError(
    status.UNAVAILABLE,
    'no rule set is loaded yet: put Rule and Webhook resources into AUDITING_CONFIG_DIR, or into the cluster with AUDITING_RULE_SOURCE=kubernetes',
  );
}
