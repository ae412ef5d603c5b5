import { batchName } from '@auditing/audit-event/batch-name';
import {
  AppendResponse,
  type AppendRequest,
  type ArchiveServiceService,
} from '@auditing/proto/archive';
import type { Admit } from '@auditing/service/grpc-admission';
import type { Api } from '@auditing/service/rpc';
import { answerStream } from '@auditing/service/stream-call';
import { ended, traced, type Tracing } from '@auditing/service/tracing';
import { cancelled } from '@auditing/service/wait';
import type { Logger } from 'pino';

import type { ArchiveMetrics } from './archive-metrics';
import { checkAppend } from './check-append';
import { queryApi, type QueryParts } from './query-api';
import { QueryTurns } from './query-turns';

/** Requests of one stream that are worked on at once: enough to fill a group while the one before is being synced. */
const APPEND_WINDOW = 32;

/** What the service works with. */
export interface ArchiveParts extends Omit<QueryParts, 'turns'> {
  readonly metrics: ArchiveMetrics;
  readonly tracing: Tracing;
  readonly log: Logger;
}

/** An archive, as those see it who call it. */
export interface ArchiveApis {
  /** For this process. */
  readonly api: Api<typeof ArchiveServiceService>;
  /** The same for a connection: so many queries of it may be open. */
  readonly apiOf: (connection: string) => ArchiveApis['api'];
}

/** ArchiveService: checks what comes in, hands it to the engine, counts. */
export function archiveApis({
  engine,
  metrics,
  tracing,
  log,
  scratchFolder,
}: ArchiveParts): ArchiveApis {
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
  const turns = new QueryTurns();
  const apiOf = (connection?: string): ArchiveApis['api'] => ({
    append,
    appendStream: answerStream(append, {
      response: AppendResponse,
      window: APPEND_WINDOW,
      log,
      subject: ({ kept }) => ({ batch: batchName(kept?.batch?.id) }),
    }),
    ...queryApi({ engine, scratchFolder, turns: turns.of(connection) }),
  });
  return { api: apiOf(), apiOf };
}

/** Lets calls in as `admit` does; those of the archive count among the queries of their connection. */
export function perConnection(admit: Admit, { api, apiOf }: ArchiveApis): Admit {
  return (call) => {
    const { connection } = call.caller;
    const isOurs = call.api === api && connection !== undefined;
    return admit(isOurs ? { ...call, api: apiOf(connection) } : call);
  };
}
