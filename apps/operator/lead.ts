import { setTimeout as sleep } from 'node:timers/promises';
import { queue } from '@auditing/service/queue';
import { admissionConfiguration, admissionHosts } from './admission-configuration';
import { applyWanted } from './apply';
import { endOf } from './certificates';
import { ensureDefaults } from './defaults';
import { ensureGrpcSecrets } from './grpc-secrets';
import { reconcile, type ReconcileParts } from './reconcile';
import { ensureTls } from './tls';
import { synced } from './watch';

/** The Secret that every replica takes its certificate of the admission webhook from. */
export const ADMISSION_SECRET = 'kube-auditing-operator-tls';
const ADMISSION_AUTHORITY = 'kube-auditing-operator-ca';
/** After a failure: once for all Webhooks, doubled at each further one. */
const BACKOFF = { initialMs: 1_000, maxMs: 60_000 } as const;

/** What leading works with. */
export interface LeadParts extends ReconcileParts {
  /** Sets what is called at each change. */
  readonly onChange: (wake: () => void) => void;
}

/** What the one replica does that leads: makes gateways and the admission configuration, now and at each change. */
export async function lead(parts: LeadParts, signal: AbortSignal): Promise<void> {
  const { config, watched, log } = parts;
  const changed = queue<true>();
  const wake = (): void => {
    if (changed.size() === 0) changed.push(true);
  };
  signal.addEventListener('abort', changed.end);
  if (signal.aborted) changed.end();
  parts.onChange(wake);
  wake();
  let failureCount = 0;
  let timer: NodeJS.Timeout | undefined;
  try {
    await Promise.race([synced(watched), aborted(signal)]);
    for await (const _change of changed) {
      clearTimeout(timer);
      const isDone = await all(parts, signal).catch((error: unknown) => {
        if (!signal.aborted) log.error({ err: error }, 'not all is as it should be; tried again');
        return false;
      });
      failureCount = isDone ? 0 : failureCount + 1;
      const waitMs = Math.min(BACKOFF.maxMs, BACKOFF.initialMs * 2 ** (failureCount - 1));
      timer = setTimeout(wake, isDone ? config.resyncMs : waitMs);
    }
  } finally {
    clearTimeout(timer);
    parts.onChange(() => undefined);
  }
}

async function aborted(signal: AbortSignal): Promise<void> {
  const forever = 2 ** 31 - 1;
  while (!signal.aborted) await sleep(forever, undefined, { signal }).catch(() => undefined);
}

async function all(parts: LeadParts, signal: AbortSignal): Promise<boolean> {
  const webhooks = [...parts.watched.webhooks.objects().values()];
  let isDone = await makeDefaults(parts, webhooks.length > 0, signal);
  // Before the gateways: they and the other services wait for them.
  isDone = (await makeGrpcSecrets(parts, signal)) && isDone;
  for (const webhook of webhooks) {
    if (signal.aborted) return true;
    if (webhook.metadata.deletionTimestamp !== undefined) continue;
    isDone = (await reconcile(webhook, parts, signal)) && isDone;
  }
  await configureAdmission(parts, signal);
  return isDone;
}

async function makeDefaults(
  { client, config, namespace, log }: LeadParts,
  hasWebhook: boolean,
  signal: AbortSignal,
): Promise<boolean> {
  const { defaultsDir } = config;
  if (defaultsDir === undefined) return true;
  try {
    const place = { folder: defaultsDir, namespace };
    const made = await ensureDefaults(client, place, { hasWebhook, signal });
    if (made.length > 0)
      log.info({ made }, 'the cluster had no Webhook: the shipped resources were made');
    return true;
  } catch (error) {
    // Services that run without them need their certificates all the same.
    if (!signal.aborted) log.error({ err: error }, 'shipped resources not made; tried again');
    return false;
  }
}

async function makeGrpcSecrets(parts: LeadParts, signal: AbortSignal): Promise<boolean> {
  if (parts.config.grpcCertificates === 'external') return true;
  try {
    await ensureGrpcSecrets(parts, signal);
    return true;
  } catch (error) {
    // Gateways that run have theirs, and go on.
    if (!signal.aborted)
      parts.log.error({ err: error }, 'certificates between the services not made; tried again');
    return false;
  }
}

async function configureAdmission(
  { client, config, namespace, metrics, now }: LeadParts,
  signal: AbortSignal,
): Promise<void> {
  const { caBundle, cert } = await ensureTls(
    { client, signal },
    {
      serverName: ADMISSION_SECRET,
      authorityName: ADMISSION_AUTHORITY,
      hosts: admissionHosts(config, namespace),
      ...{ namespace, now: now() },
    },
  );
  const endsAt = endOf(cert ?? '');
  if (endsAt) metrics.certificate(ADMISSION_SECRET, endsAt);
  const wanted = admissionConfiguration(config, namespace, caBundle);
  await applyWanted(client, wanted, { live: undefined, signal });
}
