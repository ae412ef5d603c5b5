import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { kubeClient } from '@auditing/kubernetes/kube-client';
import { openConnection } from '@auditing/kubernetes/kube-connection';
import { whileLeading } from '@auditing/kubernetes/lease';
import type { Context, Service } from '@auditing/service/service';
import { wait } from '@auditing/service/wait';
import { serveAdmission, type Admission } from './admission';
import { SETTINGS, type OperatorConfig } from './config';
import { kubeEvents } from './kube-events';
import { ADMISSION_SECRET, lead, type LeadParts } from './lead';
import { operatorMetrics } from './metrics';
import { orphanedVolumes } from './orphaned-volumes';
import { readSecret } from './tls';
import { pairOf } from './tls-secrets';
import { watchCluster } from './watch';

/** The replica that holds it makes gateways. */
const LEASE_NAME = 'kube-auditing-operator';
/** How often the certificate of the admission webhook is read, before there is one and afterwards. */
const CERTIFICATE_FIRST_MS = 1_000;
const CERTIFICATE_EVERY_MS = 60_000;

/** The operator as a process. Every replica answers admission reviews; one makes gateways. */
export const operatorService: Service<OperatorConfig> = {
  name: 'operator',
  settings: SETTINGS,
  adminPort: 9_094,
  async setUp(context) {
    const { config, log, stopping } = context;
    const client = kubeClient(await openConnection(config.kubeconfig));
    context.closeLater('connections to Kubernetes', client.close);
    const { namespace } = client.connection;
    let wake = (): void => undefined;
    const watched = await watchCluster(
      { client, namespace, log, onChange: () => wake() },
      stopping,
    );
    const metrics = operatorMetrics(context.metrics, () =>
      orphanedVolumes(
        watched.volumeClaims.objects().values(),
        watched.statefulSets.objects().values(),
      ),
    );
    const { webhookName } = config;
    const admission = await serveAdmission(config.admissionListen, {
      ...{ watched, webhookName, metrics, log },
    });
    context.closeLater('admission webhook', admission.close);
    const parts: LeadParts = {
      ...{ client, namespace, config, watched, metrics, log },
      events: kubeEvents(client, log),
      now: () => new Date(),
      onChange: (next) => (wake = next),
    };
    leadLater(context, parts);
    const { hasCertificate } = followCertificate(context, parts, admission);
    return {
      addresses: { admission: admission.address },
      async ready() {
        await Promise.all([watched.rules.synced, watched.webhooks.synced]);
        if (!hasCertificate()) throw new Error(`there is no Secret ${ADMISSION_SECRET} yet`);
      },
    };
  },
};

function leadLater({ log, stopping, closeLater }: Context<OperatorConfig>, parts: LeadParts): void {
  const { client, namespace, metrics } = parts;
  const leading = whileLeading(
    {
      ...{ client, namespace, name: LEASE_NAME, identity: `${hostname()}_${randomUUID()}` },
      onLeading(isLeading) {
        metrics.leading(isLeading);
        log.info({ isLeading }, 'makes gateways');
      },
      onError: (error) => log.warn({ err: error }, 'no Lease, so no gateways are made'),
    },
    (signal) => lead(parts, signal),
    stopping,
  );
  closeLater('making of gateways', () => leading);
}

function followCertificate(
  { log, stopping, closeLater }: Context<OperatorConfig>,
  { client, namespace }: LeadParts,
  admission: Admission,
): { hasCertificate: () => boolean } {
  let shown = '';
  const follow = async (): Promise<void> => {
    for (;;) {
      try {
        const pair = pairOf(
          await readSecret(client, { namespace, name: ADMISSION_SECRET }, stopping),
        );
        if (pair && pair.cert !== shown) {
          admission.use(pair);
          shown = pair.cert;
          log.info('the admission webhook shows a new certificate');
        }
      } catch (error) {
        if (!stopping.aborted) log.warn({ err: error }, 'certificate not read');
      }
      await wait(shown === '' ? CERTIFICATE_FIRST_MS : CERTIFICATE_EVERY_MS, stopping);
    }
  };
  const following = follow().catch(() => undefined);
  closeLater('certificate of the admission webhook', () => following);
  return { hasCertificate: () => shown !== '' };
}
