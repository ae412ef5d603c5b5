import { status } from '@grpc/grpc-js';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeDurably } from '@auditing/journal/cursor';
import { nodeFiles } from '@auditing/journal/node-files';
import { RuleSet, type RuleServiceService } from '@auditing/proto/rule';
import { backoffMs, DEFAULT_BACKOFF } from '@auditing/service/retry';
import { RpcError } from '@auditing/service/rpc-error';
import type { Api } from '@auditing/service/rpc';
import { wait } from '@auditing/service/wait';
import type { Logger } from 'pino';

/** What following the rule service takes. */
export interface FollowOptions {
  readonly directory: string;
  readonly rule: Api<typeof RuleServiceService>;
  readonly log: Logger;
  /** Called with the copy of the last run, if there is one, and then at each change. */
  readonly onRuleSet: (ruleSet: RuleSet) => void;
}

/**
 * Follows the settings that the rule service gives, and keeps the last of them on disk, so that a start without
 * the rule service goes on with those. Resolves when the copy was read; follows until the signal aborts.
 */
export async function followSettings(
  options: FollowOptions,
  signal: AbortSignal,
): Promise<Following> {
  const path = join(options.directory, 'rule-set');
  const copy = await readCopy(path, options.log);
  if (copy) options.onRuleSet(copy);
  return { done: follow(options, { path, knownVersion: copy?.version ?? '' }, signal) };
}

/** Settings being followed. */
export interface Following {
  /** Resolves when the signal has aborted. */
  readonly done: Promise<void>;
}

async function follow(
  { rule, log, onRuleSet }: FollowOptions,
  { path, knownVersion }: { readonly path: string; readonly knownVersion: string },
  signal: AbortSignal,
): Promise<void> {
  let version = knownVersion;
  for (let attempt = 1; !signal.aborted; attempt += 1) {
    try {
      for await (const ruleSet of rule.watch({ knownVersion: version }, signal)) {
        attempt = 1;
        version = ruleSet.version;
        onRuleSet(ruleSet);
        await keepCopy(path, ruleSet, log);
      }
    } catch (error) {
      if (attempt === 1 && !isCancelled(error))
        log.warn({ err: error }, 'rule service is away, receivers stay as they are');
    }
    await wait(backoffMs(attempt, DEFAULT_BACKOFF), signal).catch(() => undefined);
  }
}

async function readCopy(path: string, log: Logger): Promise<RuleSet | undefined> {
  try {
    return RuleSet.decode(await readFile(path));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
      log.warn({ err: error, path }, 'copy of the settings cannot be read');
    }
    return undefined;
  }
}

/** The copy is a convenience: settings are in force without it. */
async function keepCopy(path: string, ruleSet: RuleSet, log: Logger): Promise<void> {
  try {
    await writeDurably(nodeFiles, path, RuleSet.encode(ruleSet).finish());
  } catch (error) {
    log.warn({ err: error, path }, 'copy of the settings cannot be written');
  }
}

/** True when this side ended the watch. */
function isCancelled(error: unknown): boolean {
  return error instanceof RpcError && error.code === status.CANCELLED;
}
