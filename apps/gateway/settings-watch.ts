import type { Files } from '@auditing/journal/files';
import { openCursor, type Cursor } from '@auditing/journal/cursor';
import { Level, levelToJSON } from '@auditing/proto/event';
import { RuleSet, type RuleServiceService } from '@auditing/proto/rule';
import type { Api } from '@auditing/service/rpc';
import { retry } from '@auditing/service/retry';
import { RpcError } from '@auditing/service/rpc-error';
import { status } from '@grpc/grpc-js';
import { cancelled, wait } from '@auditing/service/wait';
import type { Logger } from 'pino';
import { BACKOFF } from './peer';

/** Where the rule set in force comes from. */
export interface SettingsWatchOptions {
  readonly rule: Pick<Api<typeof RuleServiceService>, 'watch' | 'getRuleSet'>;
  readonly files: Files;
  /** File of the last copy. */
  readonly path: string;
  readonly log: Logger;
}

/** The settings and the projection of the rule set in force. */
export interface SettingsWatch {
  /** The last one seen, by an earlier run too; undefined before the first. */
  readonly current: RuleSet | undefined;
  /** Waits until one has been seen: without known settings no event is decided. */
  inForce(signal: AbortSignal): Promise<RuleSet>;
  /** Asks the rule service at once, for a caller who was told that its copy is out of date. */
  refresh(signal: AbortSignal): Promise<RuleSet>;
  /** Follows the rule service until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}

/** Opens the last copy on disk. */
export async function openSettingsWatch(options: SettingsWatchOptions): Promise<SettingsWatch> {
  const cursor = await openCursor(options.files, options.path);
  return new RuleSetWatch(options, cursor);
}

class RuleSetWatch implements SettingsWatch {
  current: RuleSet | undefined;
  #waiting: (() => void)[] = [];

  constructor(
    readonly options: SettingsWatchOptions,
    readonly cursor: Cursor,
  ) {
    if (cursor.value) this.current = RuleSet.decode(cursor.value);
  }

  async inForce(signal: AbortSignal): Promise<RuleSet> {
    while (!this.current) {
      if (signal.aborted) throw cancelled();
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
    return this.current;
  }

  async refresh(signal: AbortSignal): Promise<RuleSet> {
    return this.#take(await this.options.rule.getRuleSet({}, signal));
  }

  async run(signal: AbortSignal): Promise<void> {
    const { rule, log } = this.options;
    const follow = async (): Promise<never> => {
      for await (const ruleSet of rule.watch(
        { knownVersion: this.current?.version ?? '' },
        signal,
      )) {
        this.#take(ruleSet);
      }
      throw new RpcError(status.UNAVAILABLE, 'the rule service ended the watch');
    };
    while (!signal.aborted) {
      await retry(follow, { signal, backoff: BACKOFF }).catch((error: unknown) => {
        if (signal.aborted) return;
        log.error({ err: error }, 'the rule service refuses to be watched');
        return wait(BACKOFF.maxMs, signal).catch(() => undefined);
      });
    }
  }

  #take(ruleSet: RuleSet): RuleSet {
    if (this.current?.version === ruleSet.version) return this.current;
    const { settings, version } = ruleSet;
    this.options.log.info(
      {
        version,
        rules: ruleSet.ruleCount,
        auditLevel: levelToJSON(settings?.auditLevel ?? Level.UNSPECIFIED),
        k8sAuditingEnabled: settings?.k8sAuditingEnabled,
      },
      'settings in force',
    );
    this.current = ruleSet;
    for (const wake of this.#waiting.splice(0)) wake();
    this.cursor.save(RuleSet.encode(ruleSet).finish()).catch((error: unknown) => {
      this.options.log.warn({ err: error }, 'the copy of the settings on disk is out of date');
    });
    return ruleSet;
  }
}
