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
import { WORKSPACE_FIELDS } from './evaluate';
import { openDiskCopy, type DiskCopy } from './disk-copy';
import type { OpenKubernetes } from './kubernetes';
import { ruleMetrics, type RuleMetrics } from './metrics';
import { ruleServiceApi } from './rule-service';
import type { RuleSetCache } from './rule-set-cache';
import { newest, RuleSetKeeper } from './rule-set-keeper';
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
  const isInCluster = config.ruleSource === 'kubernetes';
  const ruleSets = new RuleSets(isInCluster ? { alsoRead: WORKSPACE_FIELDS } : {});
  const metrics = ruleMetrics(context.metrics, () => ruleSets.rules());
  const disk = await openDiskCopy(join(config.dataDir, 'rule'));
  const { webhookName } = config;
  const cache = await openCache(context, metrics);

  const cluster = isInCluster
    ? await openCluster(context, { ruleSets, metrics, cache, disk })
    : undefined;
  const source = cluster?.source ?? ruleSourceFolder(config.configDir, log, disk.parts);
  const keeper = new RuleSetKeeper({
    ...{ source, cache, disk, ruleSets, webhookName, metrics, log },
    ...(cluster && { onTaken: cluster.onTaken }),
  });
  await keeper.begin();
  const following = keeper.follow(stopping).catch((error: unknown) => {
    if (!stopping.aborted) log.error({ err: error }, 'changes of rules are not followed any more');
  });
  context.closeLater('changes of rules', () => following);

  const workspaces = cluster?.workspaces;
  const api = ruleServiceApi({ ruleSets, workspaces, metrics, tracing: context.tracing, log });
  return {
    api,
    async ready() {
      await api.getRuleSet({}, stopping);
    },
  };
}

/** Undefined without a Redis; then its client is not read either. */
async function openCache(
  { config, log, closeLater }: Context<RuleConfig>,
  metrics: RuleMetrics,
): Promise<RuleSetCache | undefined> {
  const { redisUrl: url, redisCa: caFile, redisPrefix: prefix } = config;
  if (url === undefined) return undefined;
  const { openRuleSetCache } = await import('./rule-set-cache');
  const cache = await openRuleSetCache({ url, caFile, prefix, log, metrics });
  closeLater('Redis', cache.close);
  return cache;
}

interface ClusterParts {
  readonly ruleSets: RuleSets;
  readonly metrics: RuleMetrics;
  readonly cache: RuleSetCache | undefined;
  readonly disk: DiskCopy;
}

async function openCluster(
  context: Context<RuleConfig>,
  { ruleSets, metrics, cache, disk }: ClusterParts,
): Promise<OpenKubernetes> {
  // What another replica holds back must not act because this one has not seen the version before.
  const lastGood = newest(await cache?.load().catch(() => undefined), disk.stored);
  const { openKubernetes } = await import('./kubernetes');
  return openKubernetes(context, { ruleSets, metrics, lastGood });
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
