import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

import type { EngineGauges } from './engine';

/** From a memory-backed disk to a cloud disk that is busy, in seconds. */
const APPEND_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5];

interface EngineMetric {
  readonly name: string;
  readonly help: string;
  readonly value: (gauges: EngineGauges) => number;
}

const GAUGES: readonly EngineMetric[] = [
  { name: 'log_bytes', help: 'Size of the log.', value: (gauges) => gauges.logBytes },
  {
    name: 'index_bytes',
    help: 'Size of the indexes on disk.',
    value: (gauges) => gauges.indexBytes,
  },
  {
    name: 'index_memory_bytes',
    help: 'Memory that indexes take.',
    value: (gauges) => gauges.memoryBytes,
  },
  { name: 'segments', help: 'Segments of the log.', value: (gauges) => gauges.segmentCount },
  {
    name: 'removed_segments',
    help: 'Segments removed by retention since the start.',
    value: (gauges) => gauges.removedSegmentCount,
  },
  {
    name: 'damaged_records',
    help: 'Times that a damaged record was met since the start. Above 0: check the disk.',
    value: (gauges) => gauges.damagedRecordCount,
  },
  {
    name: 'search_threads',
    help: 'Threads that look through events for text; none before the first such search.',
    value: (gauges) => gauges.searchThreadCount,
  },
];

/** What the engine counts itself, since the start. */
const COUNTERS: readonly EngineMetric[] = [
  {
    name: 'segments_joined_total',
    help: 'Segments whose small batches were joined.',
    value: (gauges) => gauges.joinedSegmentCount,
  },
  {
    name: 'segment_joins_failed_total',
    help: 'Segments whose small batches could not be joined: they stay large. Above 0: see the log.',
    value: (gauges) => gauges.failedJoinCount,
  },
];

/** What the service counts. */
export interface ArchiveMetrics {
  readonly archived: Counter;
  readonly duplicate: Counter;
  readonly appendSeconds: Histogram;
}

/** Registers the metrics of the archive; `gauges` is asked at each scrape. */
export function archiveMetrics(registry: Registry, gauges: () => EngineGauges): ArchiveMetrics {
  for (const { name, help, value } of GAUGES) {
    new Gauge({
      name: `auditing_archive_${name}`,
      help,
      registers: [registry],
      collect() {
        this.set(value(gauges()));
      },
    });
  }
  for (const { name, help, value } of COUNTERS) {
    new Counter({
      name: `auditing_archive_${name}`,
      help,
      registers: [registry],
      collect() {
        this.reset();
        this.inc(value(gauges()));
      },
    });
  }
  const registers = [registry];
  return {
    archived: new Counter({
      name: 'auditing_archive_events_archived_total',
      help: 'Events newly stored.',
      registers,
    }),
    duplicate: new Counter({
      name: 'auditing_archive_events_duplicate_total',
      help: 'Events that were stored already, by their batch id or their key.',
      registers,
    }),
    appendSeconds: new Histogram({
      name: 'auditing_archive_append_seconds',
      help: 'Time from a batch to its being durable.',
      buckets: APPEND_BUCKETS,
      registers,
    }),
  };
}
