import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { Settings } from './settings';
import type { Tracing } from './tracing';

/** What an app is, to the runtime. */
export interface Service<Config> {
  /** Lower case; the `service` field of every log line. */
  readonly name: string;
  /** Every setting of the app. The runtime adds its own (RUNTIME_SETTINGS in start.ts). */
  readonly settings: Settings<Config>;
  /** Default of AUDITING_ADMIN_PORT. */
  readonly adminPort: number;
  /**
   * Opens what the app needs, listens, and returns. Give each opened thing to `closeLater` at once: if a later
   * step throws, the runtime closes what is open.
   */
  readonly setUp: (context: Context<Config>) => Promise<Running>;
}

/** What the runtime gives an app, apart from its configuration. */
export interface Runtime {
  readonly log: Logger;
  /** Register metrics here; they are served at /metrics on the admin port. */
  readonly metrics: Registry;
  /** Spans of traced batches. */
  readonly tracing: Tracing;
  /** Aborts when the app begins to stop and still serves: health turns to "not serving". */
  readonly draining: AbortSignal;
  /** Aborts when calls in flight should end early: long polls, open streams, waits. */
  readonly stopping: AbortSignal;
  /** Closers run when the app stops, last one first; each is awaited. One that throws does not stop the rest. */
  readonly closeLater: (what: string, close: () => Promise<void> | void) => void;
}

/** What the runtime gives an app. */
export interface Context<Config> extends Runtime {
  readonly config: Config;
}

/** An app that is set up. */
export interface Running {
  /** Where it listens, by the names of the ready line, such as `{ archive: '127.0.0.1:9082' }`. */
  readonly addresses: Readonly<Record<string, string>>;
  /** Rejects, with the reason, while the app cannot do its work. Asked by /readyz. */
  readonly ready?: () => Promise<void>;
}
