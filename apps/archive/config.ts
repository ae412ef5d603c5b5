import { ACCESS_SETTINGS } from '@auditing/access/access-settings';
import { GRPC_TLS_SETTINGS } from '@auditing/service/grpc-tls';
import {
  bytes,
  choice,
  duration,
  integer,
  listenAddress,
  optional,
  path,
  secret,
  text,
} from '@auditing/service/setting-parsers';
import type { ConfigOf } from '@auditing/service/settings';

import { indexPrefix, nodeUrls } from './opensearch/setting-parsers';

/** Every setting of the archive. */
export const SETTINGS = {
  engine: {
    variable: 'AUDITING_ARCHIVE_ENGINE',
    parser: choice('embedded', 'opensearch'),
    fallback: 'embedded',
    description: 'Where events are kept: on this disk, or in an OpenSearch cluster.',
  },
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
      'Most bytes that the archive may take; beyond it the oldest events are removed. Empty: half of the disk, in OpenSearch no limit.',
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
    fallback: '96MiB',
    description:
      'Memory for the indexes of ended segments; what is used least is read again when it is needed.',
  },
  searchThreads: {
    variable: 'AUDITING_ARCHIVE_SEARCH_THREADS',
    parser: optional(integer(0, 64)),
    fallback: '',
    description:
      'Threads that look through events for text, beside the one that does everything else; 0 none. Empty: one for each processor, 4 at most. They end after 30 seconds without a search.',
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
  opensearch: {
    nodes: {
      variable: 'AUDITING_OPENSEARCH_URL',
      parser: nodeUrls,
      fallback: 'http://127.0.0.1:9200',
      description: 'Nodes of the OpenSearch cluster; several are separated by commas.',
    },
    username: {
      variable: 'AUDITING_OPENSEARCH_USERNAME',
      parser: optional(text),
      fallback: '',
      description: 'User at OpenSearch (basic authentication).',
    },
    password: {
      variable: 'AUDITING_OPENSEARCH_PASSWORD',
      parser: optional(secret),
      fallback: '',
      description: 'Password of that user.',
    },
    tls: {
      ca: {
        variable: 'AUDITING_OPENSEARCH_TLS_CA',
        parser: optional(path),
        fallback: '',
        description:
          'Certificates (PEM) that OpenSearch must be signed by. Empty: those of the system.',
      },
      cert: {
        variable: 'AUDITING_OPENSEARCH_TLS_CERT',
        parser: optional(path),
        fallback: '',
        description: 'Client certificate chain (PEM) for OpenSearch.',
      },
      key: {
        variable: 'AUDITING_OPENSEARCH_TLS_KEY',
        parser: optional(path),
        fallback: '',
        description: 'Private key (PEM) of that certificate.',
      },
    },
    timeoutMs: {
      variable: 'AUDITING_OPENSEARCH_TIMEOUT',
      parser: duration,
      fallback: '30s',
      description: 'A request to OpenSearch that takes longer has failed.',
    },
    prefix: {
      variable: 'AUDITING_OPENSEARCH_INDEX_PREFIX',
      parser: indexPrefix,
      fallback: 'ks-logstash-auditing',
      description: 'Indices are called `<prefix>-YYYY.MM.DD`, a day each.',
    },
    shardCount: {
      variable: 'AUDITING_OPENSEARCH_SHARDS',
      parser: integer(1, 64),
      fallback: '1',
      description: 'Shards of an index.',
    },
    replicaCount: {
      variable: 'AUDITING_OPENSEARCH_REPLICAS',
      parser: integer(0, 8),
      fallback: '1',
      description: 'Copies of a shard besides the first, where there are nodes for them.',
    },
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
