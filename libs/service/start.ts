import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { collectDefaultMetrics, Registry } from 'prom-client';
import type { Logger } from 'pino';
import { adminServer } from './admin-server';
import { closers } from './closers';
import { createLog, LOG_FORMATS, LOG_LEVELS } from './log';
import { probeServer } from './probe-server';
import type { Service } from './service';
import {
  readSettings,
  unknownVariables,
  type ConfigOf,
  type Env,
  type Setting,
  type Settings,
} from './settings';
import { choice, duration, listenAddress, optional, port, text } from './setting-parsers';
import { openTracing, TRACING_SETTINGS } from './tracing';

/** Settings that every app has. */
export function runtimeSettings(adminPort: number): RuntimeSettings {
  return {
    adminListen: {
      variable: 'AUDITING_ADMIN_LISTEN',
      parser: text,
      fallback: '127.0.0.1',
      description: 'Address that `/livez`, `/readyz` and `/metrics` listen on.',
    },
    adminPort: {
      variable: 'AUDITING_ADMIN_PORT',
      parser: port,
      fallback: String(adminPort),
      description: 'Port of `/livez`, `/readyz` and `/metrics`; 0 picks a free one.',
    },
    logLevel: {
      variable: 'AUDITING_LOG_LEVEL',
      parser: choice(...LOG_LEVELS),
      fallback: 'info',
      description: 'Least severe lines that are logged, on stderr.',
    },
    logFormat: {
      variable: 'AUDITING_LOG_FORMAT',
      parser: choice(...LOG_FORMATS),
      fallback: 'auto',
      description:
        '`json` for machines, `text` for people; `auto` is text on a terminal, else JSON.',
    },
    drainDelayMs: {
      variable: 'AUDITING_DRAIN_DELAY',
      parser: duration,
      fallback: '0s',
      description:
        'How long a stopping app still serves while it says that it is not ready. 5s in a cluster, where endpoints lag.',
    },
    probeListen: {
      variable: 'AUDITING_PROBE_LISTEN',
      parser: optional(listenAddress),
      fallback: '',
      description:
        'Where `grpc.health.v1` alone is served without TLS, for probes of a kubelet: services `liveness` and `readiness`. Empty: nowhere.',
    },
    tracing: TRACING_SETTINGS,
  };
}

/** How often the event loop is looked at. The default, 10 ms, is a good part of what an idle process costs. */
const LOOP_SAMPLE_MS = 50;

interface RuntimeSettings {
  readonly adminListen: Setting<string>;
  readonly adminPort: Setting<number>;
  readonly logLevel: Setting<(typeof LOG_LEVELS)[number]>;
  readonly logFormat: Setting<(typeof LOG_FORMATS)[number]>;
  readonly drainDelayMs: Setting<number>;
  readonly probeListen: Setting<string | undefined>;
  readonly tracing: typeof TRACING_SETTINGS;
}

interface AllConfig<Config> {
  readonly runtime: ConfigOf<RuntimeSettings>;
  readonly app: Config;
}

/** An app that runs. */
export interface Started {
  /** Where it listens: the ready line. `admin` is a URL. */
  readonly addresses: Readonly<Record<string, string>>;
  readonly log: Logger;
  /** Stops it: not ready, drain delay, abort, close in reverse order, admin port last. Never rejects. */
  readonly stop: () => Promise<void>;
}

/**
 * Starts an app: reads the settings, sets it up, listens. If any step throws, what is open is closed again.
 *
 * @param log without it JSON lines go to stderr.
 * @throws ConfigError naming every bad variable; whatever `setUp` throws.
 */
export async function start<Config>(
  service: Service<Config>,
  env: Env,
  log?: Logger,
): Promise<Started> {
  const settings = { runtime: runtimeSettings(service.adminPort), app: service.settings };
  // Both in one go, so that all bad variables are named at once.
  const config = readSettings(settings as Settings<AllConfig<Config>>, env);
  const logger =
    log ??
    createLog(service.name, { level: config.runtime.logLevel, format: config.runtime.logFormat });
  for (const warning of unknownVariables(env)) logger.warn({ warning }, 'unknown setting');
  return setUp(service, config, logger);
}

/** Opens what answers while the app starts and until it has stopped; gives the URL of the admin port. */
async function openProbes(
  { adminListen, adminPort, probeListen }: ConfigOf<RuntimeSettings>,
  means: {
    readonly metrics: Registry;
    readonly ready: () => Promise<void>;
    readonly opened: ReturnType<typeof closers>;
  },
): Promise<string> {
  const { metrics, ready, opened } = means;
  const admin = await adminServer({ host: adminListen, port: adminPort, metrics, ready });
  opened.add('admin port', admin.close);
  if (probeListen !== undefined) {
    const probes = await probeServer({ listen: probeListen, ready });
    opened.add('probe port', probes.close);
  }
  return admin.url;
}

async function setUp<Config>(
  service: Service<Config>,
  config: AllConfig<Config>,
  log: Logger,
): Promise<Started> {
  const { drainDelayMs } = config.runtime;
  const metrics = new Registry();
  collectDefaultMetrics({ register: metrics, eventLoopMonitoringPrecision: LOOP_SAMPLE_MS });
  const draining = new AbortController();
  const stopping = new AbortController();
  // Every open stream listens to it: the usual warning of a leak at ten would be wrong.
  setMaxListeners(0, draining.signal, stopping.signal);
  const opened = closers(log);
  let ready = (): Promise<void> => Promise.reject(new Error('starting'));

  const stop = async (): Promise<void> => {
    draining.abort();
    ready = () => Promise.reject(new Error('stopping'));
    if (drainDelayMs > 0) await sleep(drainDelayMs);
    stopping.abort();
    await opened.closeAll();
    log.info('stopped');
  };

  try {
    const admin = await openProbes(config.runtime, { metrics, ready: () => ready(), opened });
    const parts = { log, metrics, closeLater: opened.add };
    const means = { ...parts, service: service.name };
    const running = await service.setUp({
      ...parts,
      config: config.app,
      tracing: await openTracing(config.runtime.tracing, means),
      draining: draining.signal,
      stopping: stopping.signal,
    });
    ready = running.ready ?? (() => Promise.resolve());
    const addresses = { ...running.addresses, admin };
    log.info({ addresses }, 'started');
    let stopped: Promise<void> | undefined;
    return { addresses, log, stop: () => (stopped ??= stop()) };
  } catch (error) {
    draining.abort();
    stopping.abort();
    await opened.closeAll();
    throw error;
  }
}
