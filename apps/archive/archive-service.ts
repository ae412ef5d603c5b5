import { batchName } from '@auditing/audit-event/batch-name';
import { status } from '@grpc/grpc-js';
import {
  AppendResponse,
  type AppendRequest,
  type ArchiveServiceService,
} from '@auditing/proto/archive';
import type { Api } from '@auditing/service/rpc';
import { RpcError } from '@auditing/service/rpc-error';
import { answerStream } from '@auditing/service/stream-call';
import { ended, traced, type Tracing } from '@auditing/service/tracing';
import { cancelled } from '@auditing/service/wait';
import type { Logger } from 'pino';

import type { ArchiveMetrics } from './archive-metrics';
import { checkAppend } from './check-append';
import {
  checkExport,
  checkFacets,
  checkHistogram,
  checkHistory,
  checkKey,
  checkQuery,
  checkSearch,
} from './check-query';
import type { Engine } from './engine';
import { exportEvents } from './export/export-events';
import { objectHistory } from './history/object-history';
import { QueryTurns } from './query-turns';

/** Requests of one stream that are worked on at once: enough to fill a group while the one before is being synced. */
const APPEND_WINDOW = 32;

/** What the service works with. */
export interface ArchiveParts {
  readonly engine: Engine;
  readonly metrics: ArchiveMetrics;
  readonly tracing: Tracing;
  readonly log: Logger;
  /** Where exports may put what they cannot keep in memory; made when it is needed. */
  readonly scratchFolder: string;
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
    ...queries({ engine, scratchFolder }),
  };
}

type Queries = Omit<Api<typeof ArchiveServiceService>, 'append' | 'appendStream'>;

function queries({
  engine,
  scratchFolder,
}: Pick<ArchiveParts, 'engine' | 'scratchFolder'>): Queries {
  const turns = new QueryTurns();
  return {
    search: (request, signal) =>
      turns.stream(signal, () => engine.search(checkSearch(request), signal)),
    async get({ key }, signal) {
      const event = await engine.get(checkKey(key), signal);
      if (event === undefined) {
        throw new RpcError(
          status.NOT_FOUND,
          `no event has the key ${key.toString('hex')}; retention may have removed it`,
        );
      }
      return event;
    },
    statistics: ({ query }, signal) =>
      turns.run(signal, async () => engine.statistics(checkQuery(query), signal)),
    histogram: (request, signal) =>
      turns.run(signal, async () => engine.histogram(checkHistogram(request), signal)),
    facets: (request, signal) =>
      turns.run(signal, async () => engine.facets(checkFacets(request), signal)),
    export: (request, signal) =>
      deferred(() => exportEvents(engine, checkExport(request), { scratchFolder, signal })),
    objectHistory: (request, signal) =>
      deferred(() => objectHistory(engine, checkHistory(request), signal)),
    verify: (request, signal) => deferred(() => engine.verify(request, signal)),
    stats: (_request, signal) => engine.stats(signal),
    tail: (request, signal) =>
      deferred(() => engine.tail({ ...request, query: checkQuery(request.query) }, signal)),
  };
}

/** A stream that begins when it is read, so that what is wrong with the request comes as its error. */
async function* deferred<T>(open: () => AsyncIterable<T>): AsyncIterable<T> {
  yield* open();
}
