import { readFile } from 'node:fs/promises';
import type { ConnectionOptions } from 'node:tls';
import { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { wait } from '@auditing/service/wait';
import type { RuleMetrics } from './metrics';
import { RedisConnector } from './redis-connector';
import { parseStoredSet, type StoredSet } from './stored-set';

/** Announcements come at most once and can be lost; then a change is seen after this time. */
const POLL_EVERY_MS = 5_000;
/** Redis is a cache here: one that does not answer in this time is treated as away. */
const COMMAND_TIMEOUT_MS = 2_000;

/** There is nothing in flight that would be lost. */
const DISCONNECT_TIMEOUT_MS = 100;

/** Writes a set only if nobody wrote another since it was read. */
const COMPARE_AND_SET = `
local generation = tonumber(redis.call('HGET', KEYS[1], 'generation') or '0') or 0
if generation ~= tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'generation', ARGV[2], 'hash', ARGV[3], 'set', ARGV[4])
redis.call('PUBLISH', ARGV[5], ARGV[2])
return 1`;

/** What Redis holds: 0 stands for nothing. */
export interface CachedGeneration {
  readonly generation: number;
  readonly hash: string;
}

/** The rule set as all replicas share it. Every method rejects while Redis is away; the work goes on without it. */
export interface RuleSetCache {
  /** The generation that is there. */
  readonly peek: () => Promise<CachedGeneration>;
  /** The set; undefined if there is none or it cannot be read. */
  readonly load: () => Promise<StoredSet | undefined>;
  /** Writes a set and announces it; false if Redis no longer holds the expected generation. */
  readonly write: (set: StoredSet, expectedGeneration: number) => Promise<boolean>;
  /** Calls back at each announcement, at each connection, and from time to time; until the signal aborts. */
  readonly follow: (onMaybeChanged: () => void, signal: AbortSignal) => Promise<void>;
  readonly close: () => void;
}

/** What the cache needs. */
export interface RuleSetCacheOptions {
  /** URL or path of a unix socket; `rediss:` is TLS. */
  readonly url: string;
  /** File with the CAs of a Redis with TLS; undefined: those that Node trusts. */
  readonly caFile: string | undefined;
  readonly prefix: string;
  readonly log: Logger;
  readonly metrics: RuleMetrics;
}

/**
 * Connects, and goes on in the background if that takes long: a Redis that is away holds nothing up.
 *
 * @throws Error if there is a CA for a Redis without TLS, or its file cannot be read.
 */
export async function openRuleSetCache(options: RuleSetCacheOptions): Promise<RuleSetCache> {
  const key = `${options.prefix}:rule-set`;
  const channel = `${options.prefix}:rule-set:changed`;
  const redis = connection(options.url, await tlsOf(options));
  const subscriber = redis.duplicate();
  watchState(redis, options);
  subscriber.on('error', ignored);
  await connected(redis);

  return {
    async peek() {
      const [generation, hash] = await redis.hmget(key, 'generation', 'hash');
      return { generation: Number(generation) || 0, hash: hash ?? '' };
    },
    async load() {
      const text = await redis.hget(key, 'set');
      return text === null ? undefined : parseStoredSet(text);
    },
    async write(set, expectedGeneration) {
      const { generation, hash } = set;
      const values = [expectedGeneration, generation, hash, JSON.stringify(set), channel];
      return (await redis.eval(COMPARE_AND_SET, 1, key, ...values)) === 1;
    },
    async follow(onMaybeChanged, signal) {
      subscriber.on('message', onMaybeChanged);
      subscriber.on('ready', () => {
        // ioredis subscribes anew by itself only to what it was once subscribed to.
        subscriber.subscribe(channel).then(onMaybeChanged, ignored);
      });
      if (subscriber.status === 'ready') await subscriber.subscribe(channel).catch(ignored);
      for (;;) {
        await wait(POLL_EVERY_MS, signal);
        onMaybeChanged();
      }
    },
    close() {
      redis.disconnect();
      subscriber.disconnect();
    },
  };
}

async function tlsOf({ url, caFile }: RuleSetCacheOptions): Promise<ConnectionOptions | undefined> {
  if (caFile === undefined) return undefined;
  if (!url.startsWith('rediss:')) {
    throw new Error(
      'AUDITING_REDIS_CA: expected AUDITING_REDIS_URL to begin with rediss:// (TLS), got another one; without TLS leave the CA out',
    );
  }
  return { ca: await readFile(caFile) };
}

function connection(url: string, tls: ConnectionOptions | undefined): Redis {
  return new Redis(url, {
    ...(tls && { tls }),
    Connector: RedisConnector,
    // Commands fail at once while Redis is away, instead of waiting for it.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    commandTimeout: COMMAND_TIMEOUT_MS,
    connectTimeout: COMMAND_TIMEOUT_MS,
    // Closing a connection that is already broken waits for it in vain.
    disconnectTimeout: DISCONNECT_TIMEOUT_MS,
  });
}

/** Resolves at the first success or failure. */
function connected(redis: Redis): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, COMMAND_TIMEOUT_MS);
    const done = (): void => {
      clearTimeout(timer);
      resolve();
    };
    redis.once('ready', done);
    redis.once('error', done);
  });
}

/** Tells when Redis comes and goes, once each. */
function watchState(redis: Redis, { log, metrics }: RuleSetCacheOptions): void {
  let isUp: boolean | undefined;
  const turn = (up: boolean, error?: Error): void => {
    if (isUp === up) return;
    isUp = up;
    metrics.redisUp(up);
    if (up) log.info('Redis is there');
    else
      log.warn(
        { err: error },
        'Redis is away; rules stay in force, replicas do not hear of changes',
      );
  };
  redis.on('ready', () => turn(true));
  redis.on('error', (error) => turn(false, error));
  redis.on('close', () => turn(false));
}

/** Told by the state of the other connection already. */
const ignored = (): void => undefined;
