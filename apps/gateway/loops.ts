import { backoffMs } from '@auditing/service/retry';
import { wait } from '@auditing/service/wait';
import type { Logger } from 'pino';
import { BACKOFF } from './peer';

/** A step that failed unexpectedly within this time is not ready. */
const BROKEN_MS = 15_000;

/** Runs steps that end only when they are told to. */
export class Loops {
  readonly #broken = new Map<string, { readonly error: unknown; readonly at: number }>();

  constructor(readonly log: Logger) {}

  /** Begins a step again, from where it was, after an error that nobody foresaw: a full disk, a bug. */
  async keep(step: string, run: () => Promise<void>, signal: AbortSignal): Promise<void> {
    const isTold = (): boolean => signal.aborted;
    for (let attempt = 1; !isTold(); attempt += 1) {
      const startedAt = Date.now();
      try {
        await run();
        if (!isTold()) throw new Error('it ended without being told to');
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
