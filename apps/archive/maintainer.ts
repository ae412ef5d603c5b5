import { wait } from '@auditing/service/wait';
import type { Logger } from 'pino';

import type { Engine } from './engine';

const EVERY_MS = 60_000;

/** Lets the engine do its regular work, until it is closed. */
export function maintainer(
  engine: Pick<Engine, 'maintain'>,
  log: Logger,
): { readonly close: () => Promise<void> } {
  const closing = new AbortController();
  const work = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      // What failed is tried again the next time: a disk may be full, or away for a while.
      await engine.maintain(closing.signal).catch((err: unknown) => {
        if (!closing.signal.aborted) log.error({ err }, 'maintenance of the archive failed');
      });
      await wait(EVERY_MS, closing.signal).catch(() => undefined);
    }
  };
  const working = work();
  return {
    async close() {
      closing.abort();
      await working;
    },
  };
}
