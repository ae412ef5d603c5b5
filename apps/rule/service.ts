import { join } from 'node:path';
import { admission } from '@auditing/access/admission';
import { openAccess } from '@auditing/access/open-access';
import { RuleServiceService } from '@auditing/proto/rule';
import { openGrpcCredentials } from '@auditing/service/grpc-tls';
import { serveGrpc } from '@auditing/service/grpc-server';
import { grpcService } from '@auditing/service/grpc-service';
import type { Api } from '@auditing/service/rpc';
import type { Context, Service } from '@auditing/service/service';
import { SETTINGS, type RuleConfig } from './config';
import { openDiskCopy } from './disk-copy';
import { ruleMetrics } from './metrics';
import { ruleServiceApi } from './rule-service';
import { openRuleSetCache } from './rule-set-cache';
import { RuleSetKeeper } from './rule-set-keeper';
import { RuleSets } from './rule-sets';
import { ruleSourceFolder } from './rule-source-folder';

/** The rule service, open. */
export interface OpenRule {
  readonly api: Api<typeof RuleServiceService>;
  /** Rejects while there is no rule set. */
  readonly ready: () => Promise<void>;
}

/** Loads the rule set, and follows its changes until the app stops. */
export async function openRule(context: Context<RuleConfig>): Promise<OpenRule> {
  const { config, log, stopping } = context;
  const ruleSets = new RuleSets();
  const metrics = ruleMetrics(context.metrics, () => ruleSets.rules());
  const disk = await openDiskCopy(join(config.dataDir, 'rule'));
  const { redisUrl: url, redisPrefix: prefix, webhookName } = config;
  const cache =
    url === undefined ? undefined : await openRuleSetCache({ url, prefix, log, metrics });
  if (cache) context.closeLater('Redis', cache.close);

  const source = ruleSourceFolder(config.configDir, log, disk.parts);
  const keeper = new RuleSetKeeper({ source, cache, disk, ruleSets, webhookName, metrics, log });
  await keeper.begin();
  const following = keeper.follow(stopping).catch((error: unknown) => {
    if (!stopping.aborted) log.error({ err: error }, 'changes of rules are not followed any more');
  });
  context.closeLater('changes of rules', () => following);

  const api = ruleServiceApi({ ruleSets, metrics, tracing: context.tracing, log });
  return {
    api,
    async ready() {
      await api.getRuleSet({}, stopping);
    },
  };
}

/** The rule service as a process of its own. */
export const ruleService: Service<RuleConfig> = {
  name: 'rule',
  settings: SETTINGS,
  adminPort: 9091,
  async setUp(context) {
    const { config } = context;
    const { api, ready } = await openRule(context);
    const credentials = await openGrpcCredentials(config.grpcTls, context);
    const access = await openAccess(config.access, credentials.isSecure, context);
    const address = await serveGrpc(context, {
      listen: config.listen,
      credentials,
      admit: admission(access),
      services: [grpcService(RuleServiceService, api)],
      maxConnectionAgeMs: config.maxConnectionAgeMs,
    });
    return { addresses: { rule: address }, ready };
  },
};
