import type { Logger } from 'pino';
import type { RuleMetrics, RuleSetOrigin } from './metrics';
import type { CachedGeneration, RuleSetCache } from './rule-set-cache';
import type { RuleSets } from './rule-sets';
import type { RuleSource, Snapshot } from './rule-source';
import { chooseResources, hashOf, type StoredSet } from './stored-set';
import type { DiskCopy } from './disk-copy';

/** A set that others write at the same time is read again; more often than this, and the next poll does it. */
const MAX_WRITE_TRIES = 5;

/** What the keeper works with. */
export interface KeeperParts {
  readonly source: RuleSource;
  /** Undefined where there is no Redis. */
  readonly cache: RuleSetCache | undefined;
  readonly disk: DiskCopy;
  readonly ruleSets: RuleSets;
  readonly webhookName: string;
  readonly metrics: RuleMetrics;
  readonly log: Logger;
  /** Told when what is in force or what is wrong may have changed. */
  readonly onTaken?: () => void;
}

/**
 * Keeps the newest rule set in force: of the source, of other replicas through Redis, or, while neither has one, of the
 * disk. A source that has become empty replaces nothing: rules are not switched off by a folder that is not mounted.
 */
export class RuleSetKeeper {
  /** One step at a time, in the order they came. */
  #turn: Promise<void> = Promise.resolve();

  constructor(private readonly parts: KeeperParts) {}

  /** Puts the first set in force, if there is any. */
  async begin(): Promise<void> {
    const { source, cache, disk, log } = this.parts;
    const snapshot = await source.read();
    const cached = await cache?.load().catch(() => undefined);
    const stored = newest(cached, disk.stored);
    if (stored) this.#replace(stored, stored === cached ? 'redis' : 'disk');
    await this.#takeSnapshot(snapshot);
    if (!this.parts.ruleSets.inForce) log.warn('no rule set yet: the source has no resources');
    await this.#reconcile();
  }

  /** Follows source and cache until the signal aborts, and the step under way then is done. */
  async follow(signal: AbortSignal): Promise<void> {
    const { source, cache } = this.parts;
    const followSource = async (): Promise<void> => {
      for await (const snapshot of source.changes(signal)) {
        await this.#inTurn(() => this.#takeSnapshot(snapshot));
      }
    };
    const followCache = cache?.follow(() => void this.#inTurn(() => this.#reconcile()), signal);
    try {
      await Promise.all([followSource(), followCache]);
    } finally {
      // Nobody else waits for one that Redis set off: it may still be writing its copy to the disk.
      await this.#turn;
    }
  }

  /** A step that fails is logged, and the next one runs. */
  #inTurn(step: () => Promise<void>): Promise<void> {
    const guarded = async (): Promise<void> => {
      try {
        await step();
      } catch (error) {
        this.parts.log.error({ err: error }, 'rule set not taken');
      }
    };
    this.#turn = this.#turn.then(guarded);
    return this.#turn;
  }

  async #takeSnapshot(snapshot: Snapshot): Promise<void> {
    const { ruleSets, webhookName, disk, log } = this.parts;
    const { resources, diagnostics } = chooseResources(snapshot.parts, webhookName);
    ruleSets.setSourceDiagnostics([...snapshot.diagnostics, ...diagnostics]);
    if (resources) {
      const { inForce } = ruleSets;
      const hash = hashOf(resources);
      if (hash !== inForce?.stored.hash) {
        const generation = (inForce?.stored.generation ?? 0) + 1;
        await this.#publish({ generation, hash, resources });
      }
      await this.#saved(disk.saveParts(snapshot.parts));
    } else if (ruleSets.inForce) {
      log.warn('the source has no resources any more; the last rule set stays in force');
    }
    this.parts.metrics.diagnostics(ruleSets.diagnostics());
    this.parts.onTaken?.();
  }

  /** Puts a set of the source in force, here and, as far as Redis is there, everywhere. */
  async #publish(set: StoredSet): Promise<void> {
    const { cache } = this.parts;
    let mine = set;
    try {
      for (let tries = 0; cache && tries < MAX_WRITE_TRIES; tries += 1) {
        const there = await cache.peek();
        if (there.hash === mine.hash) {
          mine = { ...mine, generation: there.generation };
          break;
        }
        mine = { ...mine, generation: Math.max(mine.generation, there.generation + 1) };
        if (await cache.write(mine, there.generation)) break;
      }
    } catch {
      // Redis is away, and that has been said; the next poll that reaches it brings it up to date.
    }
    this.#replace(mine, 'source');
    await this.#saved(this.parts.disk.saveSet(mine));
  }

  /** Makes this replica and Redis agree. */
  async #reconcile(): Promise<void> {
    const { cache, ruleSets } = this.parts;
    if (!cache) return;
    let there: CachedGeneration;
    try {
      there = await cache.peek();
      const mine = ruleSets.inForce?.stored;
      if (mine && there.hash === mine.hash) {
        if (there.generation > mine.generation) ruleSets.renumber(there.generation);
        return;
      }
      const newer = !mine || there.generation > mine.generation ? await cache.load() : undefined;
      if (newer) {
        this.#replace(newer, 'redis');
        await this.#saved(this.parts.disk.saveSet(newer));
      } else if (mine) {
        // Redis lost its data, holds what cannot be read, or another replica counted alike while it was away.
        const generation = Math.max(mine.generation, there.generation + 1);
        if (await cache.write({ ...mine, generation }, there.generation))
          ruleSets.renumber(generation);
      }
    } catch {
      // Redis is away, and that has been said.
    }
  }

  #replace(set: StoredSet, from: RuleSetOrigin): void {
    const { ruleSets, metrics, log } = this.parts;
    const { compiled } = ruleSets.replace(set);
    metrics.ruleSetReplaced(from, set.generation);
    this.parts.onTaken?.();
    metrics.diagnostics(ruleSets.diagnostics());
    log.info(
      {
        from,
        version: compiled.version,
        generation: set.generation,
        ruleCount: compiled.ruleNames.length,
        diagnostics: ruleSets
          .diagnostics()
          .map(({ resource, path, line, column, message, excerpt }) => ({
            resource,
            path,
            ...(line > 0 && { line, column }),
            message,
            excerpt,
          })),
      },
      'rule set in force',
    );
  }

  /** Without the copy the work goes on; a later start while the source is away would not know this set. */
  async #saved(saving: Promise<void>): Promise<void> {
    await saving.catch((error: unknown) => {
      this.parts.log.warn({ err: error }, 'the copy of the rule set on disk is out of date');
    });
  }
}

/** The newer one of two rule sets. */
export function newest(
  cached: StoredSet | undefined,
  onDisk: StoredSet | undefined,
): StoredSet | undefined {
  if (!cached || !onDisk) return cached ?? onDisk;
  return onDisk.generation > cached.generation ? onDisk : cached;
}
