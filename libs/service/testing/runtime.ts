import { setMaxListeners } from 'node:events';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { closers } from '../closers';
import type { Runtime } from '../service';
import { NO_TRACING } from '../tracing';

/** A runtime for tests of parts: silent, and stopped by the test. */
export interface TestRuntime extends Runtime {
  /** As the real one: drain, abort, close in reverse order. */
  readonly stop: () => Promise<void>;
}

/** A new one; `afterEach(() => runtime.stop())`. Log lines go to `onLog` if there is one. */
export function testRuntime(onLog?: (line: Record<string, unknown>) => void): TestRuntime {
  const log = onLog
    ? pino(
        { level: 'trace' },
        { write: (line) => onLog(JSON.parse(line) as Record<string, unknown>) },
      )
    : pino({ level: 'silent' });
  const draining = new AbortController();
  const stopping = new AbortController();
  setMaxListeners(0, draining.signal, stopping.signal);
  const opened = closers(log);
  return {
    log,
    metrics: new Registry(),
    tracing: NO_TRACING,
    draining: draining.signal,
    stopping: stopping.signal,
    closeLater: opened.add,
    async stop() {
      draining.abort();
      stopping.abort();
      await opened.closeAll();
    },
  };
}
