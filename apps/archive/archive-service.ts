import { batchName } from '@auditing/audit-event/batch-name';
import {
  AppendResponse,
  type AppendRequest,
  type ArchiveServiceService,
} from '@auditing/proto/archive';
import type { Api } from '@auditing/service/rpc';
import { answerStream } from '@auditing/service/stream-call';
import { ended, traced, type Tracing } from '@auditing/service/tracing';
import { cancelled } from '@auditing/service/wait';
import type { Logger } from 'pino';

import type { ArchiveMetrics } from './archive-metrics';
import { checkAppend } from './check-append';
import { queryApi, type QueryParts } from './query-api';

/** Requests of one stream that are worked on at once: enough to fill a group while the one before is being synced. */
const APPEND_WINDOW = 32;

/** What the service works with. */
export interface ArchiveParts extends QueryParts {
  readonly metrics: ArchiveMetrics;
  readonly tracing: Tracing;
  readonly log: Logger;
}

/** ArchiveService: checks what comes in, hands it to the engine, counts. */
export function archiveApi({
  engine,
  metrics,
  tracing,
  log,
  scratchFolder,
}: ArchiveParts): Api<typeof ArchiveServiceService> {
  const store = async (request: AppendRequest, signal: AbortSignal): Promise<AppendResponse> => {
    // Before it is written, giving up costs nothing; afterwards the batch is stored, whoever still waits.
    if (signal.aborted) throw cancelled();
    const kept = checkAppend(request.kept);
    const stop = metrics.appendSeconds.startTimer();
    const { archivedCount, duplicateCount } = await ended(
      tracing.step('commit', request.traceParent),
      engine.append(kept, request.settledBelow),
    );
    stop();
    metrics.archived.inc(archivedCount);
    metrics.duplicate.inc(duplicateCount);
    return AppendResponse.create({ call: request.call, archivedCount, duplicateCount });
  };
  const append = traced(tracing, 'ArchiveService/Append', store);
  return {
    append,
    appendStream: answerStream(append, {
      response: AppendResponse,
      window: APPEND_WINDOW,
      log,
      subject: ({ kept }) => ({ batch: batchName(kept?.batch?.id) }),
    }),
    ...queryApi({ engine, scratchFolder }),
  };
}
