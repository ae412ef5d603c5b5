import type { BatchId } from '@auditing/proto/event';

/**
 * A batch in logs and traces: `<epoch>/<sequence>/<part>`. The same in every service, so that one search finds all that
 * was said of it.
 */
export function batchName(id: BatchId | undefined): string {
  return id ? `${id.epoch}/${id.sequence}/${id.part}` : 'none';
}
