import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { kubeClient } from '@auditing/kubernetes/kube-client';
import { openConnection } from '@auditing/kubernetes/kube-connection';
import { whileLeading } from '@auditing/kubernetes/lease';
import { AlertServiceService } from '@auditing/proto/alert';
import { grpcClient } from '@auditing/service/grpc-client';
import { openGrpcCredentials } from '@auditing/service/grpc-tls';
import type { Api } from '@auditing/service/rpc';
import type { Context } from '@auditing/service/service';
import type { RuleConfig } from './config';
import type { RuleMetrics } from './metrics';
import { followReceivers, type ReceiversHealth } from './receiver-health';
import type { RuleSets } from './rule-sets';
import { ruleSourceKubernetes, type KubernetesSource } from './rule-source-kubernetes';
import { StatusWriter } from './status-writer';
import type { StoredSet } from './stored-set';
import { watchWorkspaces, type Workspaces } from './workspaces';

/** The replica that holds it writes the status of all resources. */
const LEASE_NAME = 'kube-auditing-rule';

/** What the rule service has of a cluster. */
export interface OpenKubernetes {
  readonly source: KubernetesSource;
  readonly workspaces: Workspaces;
  /** A rule set was taken, or what is wrong with resources has changed. */
  readonly onTaken: () => void;
}

/** What is needed besides the cluster. */
interface Options {
  readonly ruleSets: RuleSets;
  readonly metrics: RuleMetrics;
  readonly lastGood: StoredSet | undefined;
}

/** Watches resources and namespaces, and writes statuses while this replica leads. Loaded in a cluster alone. */
export async function openKubernetes(
  context: Context<RuleConfig>,
  { ruleSets, metrics, lastGood }: Options,
): Promise<OpenKubernetes> {
  const { config, log, stopping } = context;
  const { webhookName } = config;
  const client = kubeClient(await openConnection(config.access.kubeconfig));
  context.closeLater('connections to Kubernetes', client.close);
  const { rules = [], webhook } = lastGood?.resources ?? {};
  const source = ruleSourceKubernetes(
    {
      ...{ client, webhookName, log },
      lastGood: [...rules, ...(webhook === undefined ? [] : [webhook])],
      onChange: () => writer.wake(),
    },
    stopping,
  );
  const alert = await openAlertService(context);
  let receivers: ReceiversHealth | undefined;
  const writer: StatusWriter = new StatusWriter({
    ...{ client, source, log },
    written: metrics.statusWritten,
    parts() {
      const ruleSet = ruleSets.inForce?.compiled;
      return ruleSet && { ruleSet, held: source.held(), webhookName, receivers };
    },
  });
  const leading = whileLeading(
    {
      client,
      namespace: client.connection.namespace,
      name: LEASE_NAME,
      identity: `${hostname()}_${randomUUID()}`,
      onLeading: (isLeading) => log.info({ isLeading }, 'writes the status of resources'),
      onError: (error) => log.warn({ err: error }, 'no Lease, so no status is written'),
    },
    async (signal) => {
      const onChange = (health: ReceiversHealth): void => {
        receivers = health;
        writer.wake();
      };
      const asking = alert && followReceivers({ alert, log, onChange }, signal);
      await Promise.all([writer.run(signal), asking]);
    },
    stopping,
  );
  context.closeLater('status of resources', () => leading);
  const workspaces = watchWorkspaces({ client, log }, stopping);
  return { source, workspaces, onTaken: () => writer.wake() };
}

/** A client of the alert service; undefined where none is named. */
async function openAlertService(
  context: Context<RuleConfig>,
): Promise<Api<typeof AlertServiceService> | undefined> {
  const { alertAddress, access, grpcTls } = context.config;
  if (alertAddress === undefined) return undefined;
  const credentials = await openGrpcCredentials(grpcTls, context);
  const options = { credentials, token: access.token };
  const alert = grpcClient(AlertServiceService, alertAddress, options);
  context.closeLater('client of the alert service', alert.close);
  return alert.api;
}
