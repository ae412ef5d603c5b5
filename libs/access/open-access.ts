import { performance } from 'node:perf_hooks';
import type { Runtime } from '@auditing/service/service';
import { accessBy, type Access } from './access';
import type { AccessConfig } from './access-settings';
import type { Reviews } from './reviews';

/** Opens the check of callers, with a client of the Kubernetes API server if that is who decides. */
export async function openAccess(
  config: AccessConfig,
  hasCertificates: boolean,
  runtime: Pick<Runtime, 'stopping' | 'closeLater'>,
): Promise<Access> {
  const reviews = config.mode === 'kubernetes' ? await openReviews(config, runtime) : undefined;
  return accessBy({ config, reviews, hasCertificates });
}

async function openReviews(
  { kubeconfig }: AccessConfig,
  { stopping, closeLater }: Pick<Runtime, 'stopping' | 'closeLater'>,
): Promise<Reviews> {
  // Loaded in a cluster alone.
  const { openConnection } = await import('@auditing/kubernetes/kube-connection');
  const { kubeClient } = await import('@auditing/kubernetes/kube-client');
  const { kubernetesReviews } = await import('./reviews');
  const client = kubeClient(await openConnection(kubeconfig));
  closeLater('client of the Kubernetes API server', client.close);
  return kubernetesReviews({ client, now: () => performance.now(), stopping });
}
