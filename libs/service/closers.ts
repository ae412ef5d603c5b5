import type { Logger } from 'pino';

/** What must be closed when an app stops. */
export interface Closers {
  readonly add: (what: string, close: () => Promise<void> | void) => void;
  /** Closes everything, last added first; what fails is logged and the rest is closed all the same. */
  readonly closeAll: () => Promise<void>;
}

/** An empty list of closers. */
export function closers(log: Logger): Closers {
  const open: { what: string; close: () => Promise<void> | void }[] = [];
  return {
    add: (what, close) => open.push({ what, close }),
    async closeAll() {
      for (let last = open.pop(); last; last = open.pop()) {
        try {
          await last.close();
        } catch (error) {
          log.error({ err: error, what: last.what }, 'close failed');
        }
      }
    },
  };
}
