import type { Logger } from 'pino';
import type { KubeClient } from '@auditing/kubernetes/kube-client';
import { applyWanted } from './apply';
import { endOf } from './certificates';
import { GRPC_AUTHORITY, grpcIdentities, planGrpcSecrets } from './grpc-certificates';
import { SECRETS, type SecretObject } from './kinds';
import type { OperatorMetrics } from './metrics';
import { readSecret } from './tls';
import { MANAGED_BY, MANAGED_LABEL, pairOf } from './tls-secrets';

/** What is needed to make the Secrets of the services. */
export interface GrpcSecretsParts {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly metrics: OperatorMetrics;
  readonly log: Logger;
  readonly now: () => Date;
}

/**
 * Sees to it that every service has its certificate for calls between the services. Where somebody else made one of the
 * Secrets, none is touched: certificates of two authorities would not trust each other.
 *
 * @throws KubeError if the API server does not take a Secret
 */
export async function ensureGrpcSecrets(
  { client, namespace, metrics, log, now }: GrpcSecretsParts,
  signal: AbortSignal,
): Promise<void> {
  const authority = await readSecret(client, { namespace, name: GRPC_AUTHORITY }, signal);
  const services = new Map<string, SecretObject>();
  for (const name of grpcIdentities(namespace).keys()) {
    const secret = await readSecret(client, { namespace, name }, signal);
    if (secret) services.set(name, secret);
  }
  const foreign = [...services.values(), ...(authority ? [authority] : [])].filter(
    ({ metadata }) => metadata.labels?.[MANAGED_LABEL] !== MANAGED_BY,
  );
  if (foreign.length > 0) {
    const secrets = foreign.map(({ metadata }) => metadata.name);
    log.warn(
      { secrets },
      'somebody else made these Secrets, so none of the services is touched: set AUDITING_GRPC_CERTIFICATES=external, or delete them',
    );
    return;
  }
  const inForce = new Map([
    ...services,
    ...(authority ? [[GRPC_AUTHORITY, authority] as const] : []),
  ]);
  for (const secret of await planGrpcSecrets({ authority, services }, { namespace, now: now() })) {
    const { name } = secret.metadata;
    const live = name === GRPC_AUTHORITY ? authority : services.get(name);
    const { outcome } = await applyWanted(
      client,
      { type: SECRETS, object: secret },
      { live, signal },
    );
    inForce.set(name, secret);
    metrics.applied(SECRETS.kind, outcome);
    log.info({ secret: name, outcome }, 'certificate between the services written');
  }
  for (const [name, secret] of inForce) {
    const endsAt = endOf(pairOf(secret)?.cert ?? '');
    if (endsAt) metrics.certificate(name, endsAt);
  }
}
