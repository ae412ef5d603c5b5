import { ACCESS_SETTINGS } from '@auditing/access/access-settings';
import { GRPC_TLS_SETTINGS } from '@auditing/service/grpc-tls';
import { bytes, duration, listenAddress, optional, path } from '@auditing/service/setting-parsers';
import type { ConfigOf } from '@auditing/service/settings';

/** Every setting of the archive. */
export const SETTINGS = {
  dataDir: {
    variable: 'AUDITING_DATA_DIR',
    parser: path,
    fallback: './data',
    description: 'Folder of all data; the archive uses `archive` in it.',
  },
  retentionAgeMs: {
    variable: 'AUDITING_RETENTION_AGE',
    parser: duration,
    fallback: '30d',
    description: 'Events are removed when the gateway received them longer ago than this.',
  },
  retentionBytes: {
    variable: 'AUDITING_RETENTION_BYTES',
    parser: optional(bytes),
    fallback: '',
    description:
      'Most bytes that the archive may take; beyond it the oldest events are removed. Empty: half of the disk.',
  },
  segmentBytes: {
    variable: 'AUDITING_ARCHIVE_SEGMENT_BYTES',
    parser: bytes,
    fallback: '64MiB',
    description: 'Size at which a segment of the log is ended. Retention removes whole segments.',
  },
  indexBytes: {
    variable: 'AUDITING_ARCHIVE_INDEX_BYTES',
    parser: bytes,
    fallback: '128MiB',
    description:
      'Memory for the indexes of ended segments; what is used least is read again when it is needed.',
  },
  checkpointKey: {
    variable: 'AUDITING_ARCHIVE_CHECKPOINT_KEY',
    parser: optional(path),
    fallback: '',
    description:
      'Private key (Ed25519, PEM) that signs the checkpoints in the log; empty: they are not signed.',
  },
  queryTimeoutMs: {
    variable: 'AUDITING_QUERY_TIMEOUT',
    parser: duration,
    fallback: '30s',
    description: 'A query that takes longer is ended.',
  },
  grpc: {
    listen: {
      variable: 'AUDITING_GRPC_LISTEN',
      parser: listenAddress,
      fallback: '127.0.0.1:9082',
      description:
        'Where gRPC is served; port 0 picks a free one. Without TLS only a loopback address.',
    },
    maxConnectionAgeMs: {
      variable: 'AUDITING_GRPC_MAX_CONNECTION_AGE',
      parser: duration,
      fallback: '0',
      description:
        'Connections are renewed after this, so that calls spread over new replicas; 0 never.',
    },
    tls: GRPC_TLS_SETTINGS,
  },
  access: ACCESS_SETTINGS,
} as const;

export type ArchiveConfig = ConfigOf<typeof SETTINGS>;
