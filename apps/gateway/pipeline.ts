import { join } from 'node:path';
import { openCursor, type Cursor } from '@auditing/journal/cursor';
import type { Files } from '@auditing/journal/files';
import { nodeFiles } from '@auditing/journal/node-files';
import type { Logger } from 'pino';
import { openBurial } from './burial';
import { alertConsumer, archiveConsumer } from './consumers';
import type { DeadLetters } from './dead-letters';
import type { Decider } from './decide';
import { Deciding } from './deciding';
import { openDecisions, type Decisions } from './decisions';
import { Drain, type Consumer } from './drain';
import { Loops } from './loops';
import { openPeer } from './peer';
import type { PipelineMetrics } from './pipeline-metrics';
import { serviceCalls, type PipelineServices } from './service-calls';
import { openSettingsWatch, type SettingsWatch } from './settings-watch';
import type { Spool } from './spool';

const NO_SETTINGS = 'no settings seen yet: events wait in the spool until the rule service answers';

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
  /** When the oldest event that is not archived yet came, in microseconds since 1970; undefined if there is none. */
  readonly oldestUs: number | undefined;
  /** Works until the signal aborts; resolves when everything has come to rest at the end of a part. */
  run(signal: AbortSignal): Promise<void>;
  /** Rejects with the reason while the pipeline cannot do its work. */
  ready(): Promise<void>;
  /** Closes the files. Call it when `run` has ended. */
  close(): Promise<void>;
}

/** Opens the pipeline where the last run left it. */
export async function openPipeline(options: PipelineOptions): Promise<Pipeline> {
  const { directory, services, log, files = nodeFiles } = options;
  const settings = await openSettingsWatch({
    rule: services.rule,
    files,
    path: join(directory, 'settings'),
    log,
  });
  const decisions = await openDecisions(join(directory, 'decisions'), options.files);
  const calls = serviceCalls(services);
  const burial = openBurial(options);
  const rule = openPeer('rule', options);
  const decider: Decider = { ...calls, settings, rule, burial };
  const drain = (consumer: Consumer, cursor: Cursor): Drain =>
    new Drain(consumer, { ...options, decisions, burial, cursor, onSaved: () => trim() });
  const toArchive = archiveConsumer(calls, { peer: openPeer('archive', options), burial });
  const toAlert = alertConsumer(calls, { peer: openPeer('alert', options), burial });
  const archive = drain(toArchive, await openCursor(files, join(directory, 'archive.cursor')));
  const alert = drain(toAlert, await openCursor(files, join(directory, 'alert.cursor')));
  const trim = (): Promise<void> => trimBehind([archive, alert], options.spool, decisions);
  const deciding = new Deciding({ ...options, decisions, decider });
  const loops = new Loops(log);
  return {
    settings,
    get oldestUs() {
      return archive.oldestUs ?? deciding.oldestUs;
    },
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
    ready: () =>
      new Promise((resolve) => {
        if (!settings.current) throw new Error(NO_SETTINGS);
        loops.check();
        resolve();
      }),
    async close() {
      calls.close();
      await decisions.close();
    },
  };
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
