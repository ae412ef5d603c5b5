import { join } from 'node:path';
import { admission } from '@auditing/access/admission';
import { openAccess } from '@auditing/access/open-access';
import type { Files } from '@auditing/journal/files';
import { AlertServiceService } from '@auditing/proto/alert';
import { RuleServiceService, type RuleSet } from '@auditing/proto/rule';
import { grpcClient } from '@auditing/service/grpc-client';
import { serveGrpc } from '@auditing/service/grpc-server';
import { grpcService } from '@auditing/service/grpc-service';
import { openGrpcCredentials } from '@auditing/service/grpc-tls';
import type { Api } from '@auditing/service/rpc';
import type { Context, Service } from '@auditing/service/service';
import { alertMetrics, outboxMetrics, instanceMetrics, type AlertMetrics } from './alert-metrics';
import { alertApi } from './alert-service';
import { SETTINGS, type AlertConfig } from './config';
import { DELIVERY_BACKOFF } from './courier';
import { Dispatcher } from './dispatcher';
import { fallbackWarning, runFallback } from './fallback';
import { RESOLVED_MS } from './keeper';
import { openOutbox } from './open-outbox';
import type { Outbox } from './outbox';
import { followSettings } from './receiver-settings';
import type { ReceiverOptions } from './receivers/receiver';
import { Teller } from './teller';
import type { Rate } from './token-buckets';

/** Between two looks for history that has grown too old and segments that nothing needs. */
const TIDY_INTERVAL_MS = 10_000;

const RECEIVERS_UNKNOWN = 'the rule service, which knows the receivers, was not reached yet';

/** What the alert service asks of others. */
export interface AlertDependencies {
  readonly rule: Api<typeof RuleServiceService>;
  /** File operations of the outbox; the real ones unless a test gives others. */
  readonly files?: Files;
}

/** The alert service, open. */
export interface OpenAlert {
  readonly api: Api<typeof AlertServiceService>;
  /** Rejects, with the reason, while it cannot take alerts. */
  readonly ready: () => Promise<void>;
}

/** Opens the alert service: the outbox, the couriers, and what the rule service says of receivers. */
export async function openAlert(
  context: Context<AlertConfig>,
  { rule, files }: AlertDependencies,
): Promise<OpenAlert> {
  const { config, log, closeLater } = context;
  const directory = join(config.dataDir, 'alert');
  const metrics = alertMetrics(context.metrics);
  const outbox = await openOutboxOf(context, files);
  let receivers: readonly string[] | undefined;
  const dispatcher = work(context, { outbox, metrics, receivers: () => receivers ?? [] });
  const warnOfFallback = fallbackWarning(config.fallback, log);
  const onRuleSet = ({ settings }: RuleSet): void => {
    const specs = settings?.receivers ?? [];
    if (specs.length === 0 && receivers?.length !== 0) {
      log.warn('no receiver is configured: alerts are kept and listed, and sent nowhere');
    }
    receivers = [...new Set(specs.map(({ name }) => name))];
    warnOfFallback(receivers);
    dispatcher.use(specs);
  };
  const following = await followSettings({ directory, rule, log, onRuleSet }, context.stopping);
  closeLater('settings', () => following.done);
  const { tracing } = context;
  const { fallback } = config;
  return {
    api: alertApi({
      ...{ outbox, dispatcher, receiver: receiverOptions(context, metrics), metrics, tracing, log },
      ...{ now: Date.now, receivers: () => receivers, fallback },
    }),
    ready: () => (receivers ? Promise.resolve() : Promise.reject(new Error(RECEIVERS_UNKNOWN))),
  };
}

interface Works {
  readonly outbox: Outbox;
  readonly metrics: AlertMetrics;
  readonly receivers: () => readonly string[];
}

/** Starts what brings alerts from the outbox to the receivers, and what tidies up behind it. */
function work(context: Context<AlertConfig>, works: Works): Dispatcher {
  const { config, log, closeLater } = context;
  const { digestIntervalMs, heartbeatMs, fallback } = config;
  const common = { ...works, log, now: Date.now };
  const rate = rateOf(config);
  const teller = new Teller({ ...common, digestIntervalMs, heartbeatMs, rate });
  const dispatcher = new Dispatcher({
    ...common,
    receiver: receiverOptions(context, works.metrics),
    skipSilenced: config.skipSilenced,
    maxAgeMs: config.maxAgeMs,
    goneGraceMs: config.receiverGraceMs,
    backoff: DELIVERY_BACKOFF,
    digestAll: (name) => teller.digestAll(name),
  });
  closeLater('couriers', () => dispatcher.close());
  instanceMetrics(context.metrics, () => dispatcher.status());
  tidyNowAndThen(context, works.outbox);
  untilClosed(context, 'updates and digests', (signal) => teller.run(signal));
  if (fallback !== '') {
    const options = { ...common, receiver: fallback, afterMs: config.fallbackAfterMs };
    untilClosed(context, 'fallback', (signal) => runFallback(options, signal));
  }
  return dispatcher;
}

async function openOutboxOf(
  context: Context<AlertConfig>,
  files: Files | undefined,
): Promise<Outbox> {
  const { config, log, closeLater } = context;
  const outbox = await openOutbox({
    directory: join(config.dataDir, 'alert', 'outbox'),
    log,
    ...(files && { files }),
    now: Date.now,
    noise: { groupWindowMs: config.groupWindowMs, rate: rateOf(config) },
    limits: {
      history: {
        maxAgeMs: config.historyAgeMs,
        maxCount: config.historyMax,
        activeMs: config.holdMs + RESOLVED_MS,
        maxInMemory: config.pendingMax,
      },
      maxBytes: config.outboxMaxBytes,
      maxPending: config.pendingMax,
    },
  });
  closeLater('outbox', () => outbox.close());
  outboxMetrics(context.metrics, outbox, Date.now);
  return outbox;
}

function rateOf({ ratePerMinute, rateBurst }: AlertConfig): Rate {
  return { perMinute: ratePerMinute, burst: rateBurst };
}

function receiverOptions(
  { config, log }: Context<AlertConfig>,
  { owedDropped }: AlertMetrics,
): ReceiverOptions {
  const { holdMs, tryTimeoutMs, hasTimeLabel, externalUrl, secretsDir, blocked } = config;
  const text = { hasTimeLabel, externalUrl };
  const onOverflow = (receiver: string, count: number): void =>
    owedDropped.inc({ receiver }, count);
  return { log, holdMs, tryTimeoutMs, secretsDir, blocked, text, onOverflow };
}

function untilClosed(
  { closeLater }: Context<AlertConfig>,
  name: string,
  run: (signal: AbortSignal) => Promise<void>,
): void {
  const closing = new AbortController();
  const running = run(closing.signal);
  closeLater(name, () => {
    closing.abort();
    return running;
  });
}

function tidyNowAndThen({ log, closeLater }: Context<AlertConfig>, outbox: Outbox): void {
  let tidying: Promise<void> = Promise.resolve();
  const timer = setInterval(() => {
    tidying = tidying
      .then(() => outbox.tidy())
      .catch((error: unknown) => log.error({ err: error }, 'outbox could not be tidied'));
  }, TIDY_INTERVAL_MS);
  closeLater('tidying', () => {
    clearInterval(timer);
    return tidying;
  });
}

/** The alert service as a process of its own. */
export const alertService: Service<AlertConfig> = {
  name: 'alert',
  settings: SETTINGS,
  adminPort: 9_093,
  async setUp(context) {
    const { config, closeLater } = context;
    const credentials = await openGrpcCredentials(config.tls, context);
    const rule = grpcClient(RuleServiceService, config.ruleAddress, {
      credentials,
      token: config.access.token,
    });
    closeLater('rule client', rule.close);
    const { api, ready } = await openAlert(context, { rule: rule.api });
    const access = await openAccess(config.access, credentials.isSecure, context);
    const alert = await serveGrpc(context, {
      listen: config.grpcListen,
      credentials,
      admit: admission(access),
      services: [grpcService(AlertServiceService, api)],
      maxConnectionAgeMs: config.maxConnectionAgeMs,
    });
    return { addresses: { alert }, ready };
  },
};
