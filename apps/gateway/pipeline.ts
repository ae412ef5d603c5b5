import { Loops } from './loops';
import type { PeerName } from './peer';
import { openSteps, type PipelineOptions } from './pipeline-steps';
import type { SettingsWatch } from './settings-watch';

const NO_SETTINGS = 'no settings seen yet: events wait in the spool until the rule service answers';

/** Brings what is spooled to where it belongs. */
export interface Pipeline {
  readonly settings: SettingsWatch;
  /** When the oldest event that is not archived yet came, in microseconds since 1970; undefined if there is none. */
  readonly oldestUs: number | undefined;
  /** Why the last call of a service failed; undefined while calls succeed. */
  failureOf(peer: PeerName): unknown;
  /** Works until the signal aborts; resolves when everything has come to rest at the end of a part. */
  run(signal: AbortSignal): Promise<void>;
  /** Rejects with the reason while the pipeline cannot do its work. */
  ready(): Promise<void>;
  /** Closes the files. Call it when `run` has ended. */
  close(): Promise<void>;
}

/** Opens the pipeline where the last run left it. */
export async function openPipeline(options: PipelineOptions): Promise<Pipeline> {
  const { settings, peers, deciding, archive, alert, close } = await openSteps(options);
  const loops = new Loops(options.log);
  return {
    settings,
    get oldestUs() {
      return archive.oldestUs ?? deciding.oldestUs;
    },
    failureOf: (peer) => peers[peer].failure,
    // The order of the flow. Settings and rules decide each part of the spool, once; the decision is written down; then
    // the archive and the alert service get their share of it, each at its own pace.
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
    close,
  };
}
