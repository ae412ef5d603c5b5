import { createPrivateKey, type KeyObject } from 'node:crypto';
import { readFile, rm, statfs } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

import { admission } from '@auditing/access/admission';
import { openAccess } from '@auditing/access/open-access';
import type { Files } from '@auditing/journal/files';
import { nodeFiles } from '@auditing/journal/node-files';
import { ArchiveServiceService } from '@auditing/proto/archive';
import { serveGrpc } from '@auditing/service/grpc-server';
import { grpcService } from '@auditing/service/grpc-service';
import { openGrpcCredentials } from '@auditing/service/grpc-tls';
import type { Context, Service } from '@auditing/service/service';

import { archiveMetrics } from './archive-metrics';
import { archiveApis, perConnection, type ArchiveApis } from './archive-service';
import { SETTINGS, type ArchiveConfig } from './config';
import { openEmbeddedEngine } from './embedded/embedded-engine';
import { SearchThreads } from './embedded/search-threads';
import type { Engine } from './engine';
import { maintainer } from './maintainer';

/**
 * Rows of a segment: its index stays near 30 MB in memory, and is made in a second. Its tables double at powers of 2, which takes
 * 50 ms at this size: the last batch, of 4,096 events at most from a gateway, must not make them.
 */
const SEGMENT_ROWS = 2 ** 18 - 4_096;

/** Long texts, such as request URIs, fill an index faster than rows do. */
const SEGMENT_INDEX_BYTES = 64 * 2 ** 20;

/** More threads than this find hardly faster: blocks are expanded by four threads of the runtime. */
const SEARCH_THREADS_MAX = 4;

/** Retention by age is as fine as this part of its time. */
const SEGMENTS_OF_RETENTION = 30;

/** Opens the archive of a data folder; `files` replaces the file operations in tests. */
export async function openArchive(
  context: Context<ArchiveConfig>,
  files: Files = nodeFiles,
): Promise<ArchiveApis> {
  const { log, metrics, tracing, closeLater } = context;
  const scratchFolder = join(context.config.dataDir, 'archive', 'export');
  // What a crash left of exports.
  await rm(scratchFolder, { recursive: true, force: true });
  const engine = await openEngine(context, files);
  closeLater('archive engine', () => engine.close());
  const maintenance = maintainer(engine, log);
  closeLater('archive maintenance', maintenance.close);
  return archiveApis({
    engine,
    log,
    tracing,
    metrics: archiveMetrics(metrics, () => engine.gauges()),
    scratchFolder,
  });
}

async function openEngine(context: Context<ArchiveConfig>, files: Files): Promise<Engine> {
  if (context.config.engine === 'embedded') return openEmbedded(context, files);
  // Not read by those who do not need it: its client is half a megabyte of code.
  const { openOpensearch } = await import('./opensearch/open-opensearch');
  return openOpensearch(context);
}

async function openEmbedded(
  { config, log, closeLater }: Context<ArchiveConfig>,
  files: Files,
): Promise<Engine> {
  const threads = new SearchThreads({
    script: new URL('search-thread.js', import.meta.url),
    count: config.searchThreads ?? Math.min(SEARCH_THREADS_MAX, availableParallelism()),
    log,
  });
  closeLater('archive search threads', () => threads.close());
  const directory = join(config.dataDir, 'archive');
  await files.makeDirectory(directory);
  return openEmbeddedEngine({
    directory,
    files,
    log,
    segment: {
      bytes: config.segmentBytes,
      rows: SEGMENT_ROWS,
      indexBytes: SEGMENT_INDEX_BYTES,
      ageMs: config.retentionAgeMs / SEGMENTS_OF_RETENTION,
    },
    retention: {
      ageMs: config.retentionAgeMs,
      bytes: config.retentionBytes ?? (await halfOfDisk(directory)),
    },
    indexCacheBytes: config.indexBytes,
    queryTimeoutMs: config.queryTimeoutMs,
    threads,
    checkpointKey: await readCheckpointKey(config.checkpointKey),
    now: Date.now,
  });
}

async function readCheckpointKey(path: string | undefined): Promise<KeyObject | undefined> {
  if (path === undefined) return undefined;
  try {
    const key = createPrivateKey(await readFile(path));
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch (cause) {
    throw new Error(
      `AUDITING_ARCHIVE_CHECKPOINT_KEY: ${path} cannot be read as a private key: ${String(cause)}`,
      { cause },
    );
  }
  throw new Error(
    `AUDITING_ARCHIVE_CHECKPOINT_KEY: expected an Ed25519 key in ${path}; make one with: openssl genpkey -algorithm ed25519`,
  );
}

async function halfOfDisk(directory: string): Promise<number> {
  const { blocks, bsize } = await statfs(directory);
  return (blocks * bsize) / 2;
}

/** The archive as a process of its own. */
export const archiveService: Service<ArchiveConfig> = {
  name: 'archive',
  settings: SETTINGS,
  adminPort: 9092,
  async setUp(context) {
    const opened = await openArchive(context);
    const { listen, maxConnectionAgeMs, tls } = context.config.grpc;
    const credentials = await openGrpcCredentials(tls, context);
    const access = await openAccess(context.config.access, credentials.isSecure, context);
    const archive = await serveGrpc(context, {
      listen,
      maxConnectionAgeMs,
      credentials,
      admit: perConnection(admission(access), opened),
      services: [grpcService(ArchiveServiceService, opened.api)],
    });
    return { addresses: { archive } };
  },
};
