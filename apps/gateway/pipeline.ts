import { join } from 'node:path';
import { openCursor } from '@auditing/journal/cursor';
import type { Files } from '@auditing/journal/files';
import { nodeFiles } from '@auditing/journal/node-files';
import { Strip } from '@auditing/proto/event';
import type { Decision } from '@auditing/proto/spool';
import { backoffMs } from '@auditing/service/retry';
import { wait } from '@auditing/service/wait';
import type { Logger } from 'pino';
import { alertCount } from './alerts-from';
import { openBurial } from './burial';
import { alertConsumer, archiveConsumer } from './consumers';
import type { DeadLetters } from './dead-letters';
import { decide, type Decider } from './decide';
import { openDecisions, type Decisions } from './decisions';
import { Drain, type Consumer } from './drain';
import { orderedWindow } from './ordered-window';
import { readableParts } from './part-reader';
import { BACKOFF, openPeer } from './peer';
import type { PipelineMetrics } from './pipeline-metrics';
import { serviceCalls, type PipelineServices } from './service-calls';
import { openSettingsWatch, type SettingsWatch } from './settings-watch';
import type { Spool, SpoolPart } from './spool';

/** Parts being decided at once: part n + 1 is decided while the decision on n is written. */
const DECIDE_LIMITS = {
  count: 32,
  bytes: 16 * 2 ** 20,
  bytesOf: ({ batch }: SpoolPart) => batch.block?.rawBytes ?? 0,
} as const;

/** A step that failed unexpectedly within this time is not ready. */
const BROKEN_MS = 15_000;

/** What the pipeline works with. */
export interface PipelineOptions {
  readonly spool: Spool;
  /** Folder of the decisions, the cursors and the last settings. */
  readonly directory: string;
  readonly services: PipelineServices;
  readonly deadLetters: Pick<DeadLetters, 'add'>;
  readonly metrics: PipelineMetrics;
  readonly log: Logger;
  /** File operations; the real ones unless a test gives others. */
  readonly files?: Files;
}

/** Brings what is spooled to where it belongs. */
export interface Pipeline {
  readonly settings: SettingsWatch;
  /** Works until the signal aborts; resolves when everything has come to rest at the end of a part. */
  run(signal: AbortSignal): Promise<void>;
  /** Rejects with the reason while the pipeline cannot do its work. */
  ready(): Promise<void>;
  /** Closes the files. Call it when `run` has ended. */
  close(): Promise<void>;
}

/** Opens the pipeline where the last run left it. */
export async function openPipeline(options: PipelineOptions): Promise<Pipeline> {
  const { directory, services, metrics, log, files = nodeFiles } = options;
  const settings = await openSettingsWatch({
    rule: services.rule,
    files,
    path: join(directory, 'settings'),
    log,
  });
  const decisions = await openDecisions(join(directory, 'decisions'), options.files);
  const [archiveCursor, alertCursor] = [
    await openCursor(files, join(directory, 'archive.cursor')),
    await openCursor(files, join(directory, 'alert.cursor')),
  ];
  const calls = serviceCalls(services);
  const burial = openBurial(options);
  const rule = openPeer('rule', options);
  const decider: Decider = { ...calls, settings, rule, burial };
  const drain = (consumer: Consumer, cursor: typeof archiveCursor): Drain =>
    new Drain(consumer, { ...options, decisions, burial, cursor, onSaved: () => trim() });
  const peers = { archive: openPeer('archive', options), alert: openPeer('alert', options) };
  const archive = drain(archiveConsumer(calls, { peer: peers.archive, burial }), archiveCursor);
  const alert = drain(alertConsumer(calls, { peer: peers.alert, burial }), alertCursor);
  const trim = (): Promise<void> => trimBehind([archive, alert], options.spool, decisions);
  const deciding = new Deciding({ ...options, decisions, decider });
  metrics.watchAge(() => archive.oldestUs ?? deciding.oldestUs);
  const loops = new Loops(log);
  return {
    settings,
    // The order of the flow: settings and rules decide a part, the decision is written, then archive and alert
    // service get their share, each at its own pace.
    async run(signal) {
      await Promise.all([
        settings.run(signal),
        loops.keep('decide', () => deciding.run(signal), signal),
        loops.keep('archive', () => archive.run(signal), signal),
        loops.keep('alert', () => alert.run(signal), signal),
      ]);
    },
    async ready() {
      if (!settings.current) {
        throw new Error(
          'no settings seen yet: events wait in the spool until the rule service answers',
        );
      }
      loops.check();
      return Promise.resolve();
    },
    async close() {
      calls.close();
      await decisions.close();
    },
  };
}

/** The first step: reads the spool, decides, writes down what was decided. */
class Deciding {
  readonly #underWay = new Set<SpoolPart>();

  constructor(
    readonly options: PipelineOptions & {
      readonly decisions: Decisions;
      readonly decider: Decider;
    },
  ) {}

  get oldestUs(): number | undefined {
    const [oldest] = this.#underWay;
    return oldest?.batch.receivedAtUs;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { decisions } = this.options;
    const from = await this.#start();
    const decided = orderedWindow(
      {
        items: (until) => readableParts(this.options, from, until),
        run: (part, until) => this.#decide(part, until),
        limits: DECIDE_LIMITS,
      },
      signal,
    );
    for await (const done of decided) {
      const written = done.map(({ result }) => result);
      await decisions.append(written);
      for (const decision of written) this.#count(decision);
    }
  }

  /** Where deciding goes on: after the last part that has a decision. */
  async #start(): Promise<number> {
    const { decisions, spool, log } = this.options;
    const last = await decisions.last();
    if (!last) return spool.start;
    const next = Number(last.decision.spoolNext);
    if (next <= spool.end) return next;
    log.error(
      { next, end: spool.end },
      'the spool is shorter than what was decided of it: it begins anew',
    );
    return spool.start;
  }

  async #decide(part: SpoolPart, signal: AbortSignal): Promise<Decision> {
    const { decider, metrics } = this.options;
    const stage = { stage: 'decide' };
    const stopTimer = metrics.decisionSeconds.startTimer();
    this.#underWay.add(part);
    metrics.inFlight.inc(stage);
    try {
      return await decide(part, decider, signal);
    } finally {
      this.#underWay.delete(part);
      metrics.inFlight.dec(stage);
      stopTimer();
    }
  }

  #count({ verdicts, disabledCount }: Decision): void {
    const { metrics } = this.options;
    metrics.disabled.inc(disabledCount);
    if (!verdicts) return;
    metrics.ignored.inc(verdicts.ignoredCount);
    metrics.kept.inc(verdicts.verdicts.length);
    metrics.alerts.inc(alertCount(verdicts));
    metrics.stripped.inc(
      verdicts.verdicts.filter(({ strip }) => strip !== Strip.UNSPECIFIED).length,
    );
  }
}

/** Spool and decisions are kept as long as one of the consumers needs them. */
async function trimBehind(
  drains: readonly Drain[],
  spool: Spool,
  decisions: Decisions,
): Promise<void> {
  const behind = drains
    .map(({ saved }) => saved)
    .reduce((one, other) => (one.nextDecision <= other.nextDecision ? one : other));
  await spool.trim(Number(behind.spoolPosition));
  // The last decision stays: it says where deciding goes on.
  await decisions.trim(Number(behind.lastDecision));
}

/** Runs steps that end only when they are told to. */
class Loops {
  readonly #broken = new Map<string, { readonly error: unknown; readonly at: number }>();

  constructor(readonly log: Logger) {}

  /** Begins a step again, from where it was, after an error that nobody foresaw: a full disk, a bug. */
  async keep(step: string, run: () => Promise<void>, signal: AbortSignal): Promise<void> {
    for (let attempt = 1; !signal.aborted; attempt += 1) {
      const startedAt = Date.now();
      try {
        await run();
      } catch (error) {
        this.log.error({ err: error, step }, 'a step of the pipeline broke off and is begun again');
        this.#broken.set(step, { error, at: Date.now() });
        if (Date.now() - startedAt > BROKEN_MS) attempt = 1;
        await wait(backoffMs(attempt, BACKOFF), signal).catch(() => undefined);
      }
    }
  }

  /** Throws if a step broke off lately. */
  check(): void {
    for (const [step, { error, at }] of this.#broken) {
      if (Date.now() - at < BROKEN_MS)
        throw new Error(`the step ${step} broke off`, { cause: error });
    }
  }
}
