import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Files } from '@auditing/journal/files';
import { AlertServiceService } from '@auditing/proto/alert';
import { ArchiveServiceService } from '@auditing/proto/archive';
import type { GatewayServiceService } from '@auditing/proto/gateway';
import { RuleServiceService } from '@auditing/proto/rule';
import { grpcClient } from '@auditing/service/grpc-client';
import { openGrpcCredentials } from '@auditing/service/grpc-tls';
import type { Api } from '@auditing/service/rpc';
import type { Context, Running, Service } from '@auditing/service/service';
import { PROCESS_SETTINGS, type GatewayConfig, type GatewayProcessConfig } from './config';
import { deadLetterRoutes } from './dead-letter-routes';
import { gatewayApi, type SenderTarget } from './gateway-api';
import { openIntake } from './open-intake';
import { openWebhook, type Webhook } from './open-webhook';
import { openPipeline, type Pipeline } from './pipeline';
import { pipelineMetrics, watchOldest } from './pipeline-metrics';
import { probeRoutes } from './probe-routes';
import { ProbeTrails } from './probe-trails';
import { serveQueryApi } from './query-api';
import { senderFileRoutes } from './sender-file-routes';
import { serveTools } from './serve-tools';
import type { Intake } from './take-body';

/** The services that a gateway works with. */
export interface GatewayPeers {
  readonly rule: Api<typeof RuleServiceService>;
  readonly archive: Api<typeof ArchiveServiceService>;
  readonly alert: Api<typeof AlertServiceService>;
  /** Whether they are behind sockets. Default false: their implementations are called in this process. */
  readonly remote?: boolean;
  /** File operations of spool, decisions and cursors; the real ones unless a test gives others. */
  readonly files?: Files;
}

/** A gateway that takes bodies. */
export interface Gateway extends Running {
  readonly addresses: Readonly<Record<'webhook' | 'api', string>>;
  readonly ready: () => Promise<void>;
  /** CA that senders must trust, PEM; undefined unless the certificate is self-signed. */
  readonly caCert: string | undefined;
  /** What tools ask for. */
  readonly api: Api<typeof GatewayServiceService>;
}

/** Opens a gateway: spool, then what drains it, then what asks, and last of all what fills it. */
export async function openGateway(
  context: Context<GatewayConfig>,
  peers: GatewayPeers,
): Promise<Gateway> {
  const { config } = context;
  const intake = await openIntake(config.receive, context, peers.files);
  const probes = new ProbeTrails();
  const pipeline = await drain({ intake, probes }, context, peers);
  const late: { webhook?: Webhook } = {};
  const target = (): Promise<SenderTarget> => senderTarget(config.webhook, late.webhook);
  const ownRoutes = [
    ...deadLetterRoutes(intake),
    ...probeRoutes({
      spool: intake.spool,
      trails: probes,
      failureOf: (peer) => pipeline.failureOf(peer),
    }),
    ...senderFileRoutes(target),
  ];
  const api = await serveQueryApi({ config, services: peers, ownRoutes }, context);
  const webhook = await openWebhook(config, intake, context);
  late.webhook = webhook;
  return {
    addresses: { webhook: webhook.url, api },
    ready: () => pipeline.ready(),
    caCert: webhook.caCert,
    api: gatewayApi(target),
  };
}

/** How senders reach the webhook, as far as it is known here. */
async function senderTarget(
  { url, tlsCa }: GatewayConfig['webhook'],
  webhook: Webhook | undefined,
): Promise<SenderTarget> {
  // A Secret that somebody else made need not have one.
  const file = tlsCa && (await readFile(tlsCa, 'utf8').catch(() => undefined));
  return { url: url ?? webhook?.url ?? '', caCert: file ?? webhook?.caCert };
}

/** Lets the pipeline work until the app closes, after the webhook and before the spool. */
async function drain(
  { intake, probes }: { readonly intake: Intake; readonly probes: ProbeTrails },
  context: Context<GatewayConfig>,
  services: GatewayPeers,
): Promise<Pipeline> {
  const { spool, deadLetters, metrics } = intake;
  const pipeline = await openPipeline({
    spool,
    directory: join(context.config.receive.dataDir, 'gateway'),
    services: { ...services, remote: services.remote ?? false },
    deadLetters: {
      async add(letter) {
        const isNew = await deadLetters.add(letter);
        if (isNew) metrics.deadLetters.inc({ kind: letter.kind });
        return isNew;
      },
    },
    probes,
    metrics: pipelineMetrics(context.metrics),
    tracing: context.tracing,
    log: context.log,
    ...(services.files && { files: services.files }),
  });
  watchOldest(context.metrics, () => pipeline.oldestUs);
  const ended = new AbortController();
  const running = pipeline.run(ended.signal);
  context.closeLater('pipeline', async () => {
    ended.abort();
    await running;
    await pipeline.close();
  });
  return pipeline;
}

/** The gateway in a process of its own, with the other services over gRPC. */
export const gatewayService: Service<GatewayProcessConfig> = {
  name: 'gateway',
  settings: PROCESS_SETTINGS,
  adminPort: 9090,
  async setUp(context) {
    const { peers, access } = context.config;
    const credentials = await openGrpcCredentials(peers.tls, context);
    const options = { credentials, token: access.token };
    const rule = grpcClient(RuleServiceService, peers.rule, options);
    context.closeLater('client of the rule service', rule.close);
    const archive = grpcClient(ArchiveServiceService, peers.archive, options);
    context.closeLater('client of the archive', archive.close);
    const alert = grpcClient(AlertServiceService, peers.alert, options);
    context.closeLater('client of the alert service', alert.close);
    const gateway = await openGateway(context, {
      rule: rule.api,
      archive: archive.api,
      alert: alert.api,
      remote: true,
    });
    const grpc = await serveTools(gateway.api, credentials, context);
    return { ...gateway, addresses: { ...gateway.addresses, gateway: grpc } };
  },
};
