import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Runtime } from '@auditing/service/service';
import { senderCheck } from './authenticate';
import type { ReceiveConfig, WebhookConfig } from './config';
import { watchBodies, watchCertificate } from './metrics';
import { Receiver, type ReceiveOptions } from './receive';
import type { Intake } from './take-body';
import { openTls, type Tls } from './tls';
import { webhookServer } from './webhook-server';

/** The webhook, listening. */
export interface Webhook {
  /** URL to post to. */
  readonly url: string;
  /** CA that senders must trust, PEM; undefined unless the certificate is self-signed. */
  readonly caCert: string | undefined;
}

/** Share of the memory for bodies in flight. */
const BODIES_SHARE = 3 / 8;
/** A large body may take ten times as long as an ordinary one; this is a little longer. */
const REQUEST_TIMEOUT_FACTOR = 11;
/** How long requests under way may take when the app stops: longer than an answer takes. */
const STOP_GRACE_MS = 5_000;
/** Names under which the machine itself is reached. */
const LOCAL_HOSTS = ['localhost', '127.0.0.1', '::1'];

/** Settings of the webhook and of what it fills; `waits` is for tests. */
export interface WebhookOptions {
  readonly webhook: WebhookConfig;
  readonly receive: ReceiveConfig;
  readonly waits?: ReceiveOptions['waits'];
}

/** Serves `POST /audit/webhook/event` into the intake. Everything that empties the spool should be open before. */
export async function openWebhook(
  { webhook, receive, waits }: WebhookOptions,
  intake: Intake,
  runtime: Runtime,
): Promise<Webhook> {
  const directory = join(receive.dataDir, 'gateway');
  const receiver = await Receiver.open(intake, {
    bodyMaxBytes: receive.bodyMaxBytes,
    memoryBytes: Math.floor(receive.memoryMaxBytes * BODIES_SHARE),
    largeDirectory: join(directory, 'large-bodies'),
    bodyTimeoutMs: webhook.bodyTimeoutMs,
    ...(waits && { waits }),
  });
  watchBodies(runtime.metrics, receiver.budget);
  const tls = await tlsOf(webhook, directory, runtime);
  if (tls) watchCertificate(runtime.metrics, () => tls.notAfter);
  const server = await webhookServer(
    {
      host: webhook.host,
      port: webhook.port,
      tls,
      maxConnections: webhook.maxConnections,
      requestTimeoutMs: webhook.bodyTimeoutMs * REQUEST_TIMEOUT_FACTOR,
    },
    {
      receiver,
      check: senderCheck({
        clientCertificate: webhook.clientCa !== undefined,
        token: webhook.token,
      }),
      metrics: intake.metrics,
      tracing: runtime.tracing,
      log: runtime.log,
      ready: () => ready(intake, runtime),
    },
  );
  runtime.closeLater('webhook', () => server.close(STOP_GRACE_MS));
  return { url: server.url, caCert: tls?.caCert };
}

async function tlsOf(
  webhook: WebhookConfig,
  directory: string,
  { log }: Runtime,
): Promise<Tls | undefined> {
  const { tls, tlsCert, tlsKey, tlsHosts, clientCa } = webhook;
  if (tls === 'off') {
    if (clientCa === undefined) return undefined;
    throw new Error('AUDITING_WEBHOOK_CLIENT_CA needs TLS: AUDITING_WEBHOOK_TLS is off');
  }
  const hosts = [...new Set([...LOCAL_HOSTS, hostname(), ...tlsHosts])];
  return openTls({ tls, tlsCert, tlsKey, clientCa, hosts, directory: join(directory, 'tls') }, log);
}

/** Rejects while a body would be refused whatever is in it. */
async function ready({ spool }: Intake, { draining }: Runtime): Promise<void> {
  if (draining.aborted) throw new Error('the gateway is stopping');
  if (!(await spool.hasRoom()))
    throw new Error('the spool is full; let it drain, or free the disk');
}
