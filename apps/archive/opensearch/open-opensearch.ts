import type { Context } from '@auditing/service/service';
import type { ArchiveConfig } from '../config';
import type { Engine } from '../engine';
import { connect } from './connect';
import { openOpensearchEngine } from './opensearch-engine';
import { readEndpoint } from './read-endpoint';

/** The engine of the cluster that the settings name. */
export async function openOpensearch({ config, log }: Context<ArchiveConfig>): Promise<Engine> {
  const { prefix, shardCount, replicaCount } = config.opensearch;
  return openOpensearchEngine({
    opensearch: connect(await readEndpoint(config.opensearch)),
    shape: { prefix, shardCount, replicaCount },
    retention: { ageMs: config.retentionAgeMs, bytes: config.retentionBytes },
    queryTimeoutMs: config.queryTimeoutMs,
    log,
    now: Date.now,
  });
}
