import { mkdir, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { Files } from '@auditing/journal/files';
import type { Runtime } from '@auditing/service/service';
import type { ReceiveConfig } from './config';
import { DeadLetters } from './dead-letters';
import { receiveMetrics, watchLevels } from './metrics';
import { RecentBodies } from './recent-bodies';
import { Spool } from './spool';
import type { Intake } from './take-body';

/** Share of the disk that the spool may fill, whatever its setting says: others write there too. */
const DISK_SHARE = 0.8;
/** Share of the memory for what was spooled last. */
const FRESH_SHARE = 1 / 4;

/**
 * Opens what bodies are taken into: the spool, the dead letters, the memory of recent bodies. `files` replaces the
 * file operations of the spool in tests.
 */
export async function openIntake(
  config: ReceiveConfig,
  runtime: Runtime,
  files?: Files,
): Promise<Intake> {
  const { log, metrics: registry, tracing, closeLater } = runtime;
  const directory = join(config.dataDir, 'gateway');
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const metrics = receiveMetrics(registry);
  const recent = new RecentBodies();
  const deadLetters = await DeadLetters.open({
    directory: join(directory, 'dead-letters'),
    maxBytes: config.deadLettersMaxBytes,
    maxCount: config.deadLettersMaxCount,
    onEvicted: ({ kind }) => metrics.deadLettersEvicted.inc({ kind }),
  });
  const { blocks, bsize } = await statfs(directory);
  const spool = await Spool.open({
    directory: join(directory, 'spool'),
    maxBytes: Math.min(config.spoolMaxBytes, Math.floor(blocks * bsize * DISK_SHARE)),
    memoryBytes: Math.floor(config.memoryMaxBytes * FRESH_SHARE),
    onSpooledBody: ({ bodyHash, ...taken }) => recent.remember(bodyHash, taken),
    onRepair: (repair) => log.warn(repair, 'a torn tail of the spool was cut off'),
    ...(files && { files }),
  });
  closeLater('spool', () => spool.close());
  watchLevels(registry, { spool, deadLetters });
  return { spool, deadLetters, recent, metrics, tracing, log };
}
