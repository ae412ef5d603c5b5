import { status } from '@grpc/grpc-js';
import type { ArchiveServiceService } from '@auditing/proto/archive';
import type { AuditEvent } from '@auditing/proto/event';
import type { Api } from '@auditing/service/rpc';
import { RpcError } from '@auditing/service/rpc-error';

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
import type { TurnsOfConnection } from './query-turns';

type QueryApi = Omit<Api<typeof ArchiveServiceService>, 'append' | 'appendStream'>;

/** What the queries work with. */
export interface QueryParts {
  readonly engine: Engine;
  /** Where exports may put what they cannot keep in memory; made when it is needed. */
  readonly scratchFolder: string;
  readonly turns: TurnsOfConnection;
}

/** Offset and limit of a search together; beyond it the rows that it holds are no longer a small matter. */
const DEEP_ROWS = 20_000;

/** The queries of ArchiveService: checks what is asked, waits for a turn, hands it to the engine. */
export function queryApi({ engine, scratchFolder, turns }: QueryParts): QueryApi {
  return {
    search: (request, signal) => {
      const isDeep = request.offset + request.limit > DEEP_ROWS;
      const stream = isDeep ? turns.streamDeep : turns.stream;
      return stream(signal, () => engine.search(checkSearch(request), signal));
    },
    get: ({ key }, signal) => getEvent(engine, key, signal),
    statistics: ({ query }, signal) =>
      turns.run(signal, async () => engine.statistics(checkQuery(query), signal)),
    histogram: (request, signal) =>
      turns.run(signal, async () => engine.histogram(checkHistogram(request), signal)),
    facets: (request, signal) =>
      turns.runFacets(signal, async () => engine.facets(checkFacets(request), signal)),
    export: (request, signal) =>
      turns.stream(signal, () =>
        exportEvents(engine, checkExport(request), { scratchFolder, signal }),
      ),
    objectHistory: (request, signal) =>
      turns.stream(signal, () => objectHistory(engine, checkHistory(request), signal)),
    verify: (request, signal) => deferred(() => engine.verify(request, signal)),
    stats: (_request, signal) => engine.stats(signal),
    tail: (request, signal) =>
      deferred(() => engine.tail({ ...request, query: checkQuery(request.query) }, signal)),
  };
}

async function getEvent(engine: Engine, key: Buffer, signal: AbortSignal): Promise<AuditEvent> {
  const event = await engine.get(checkKey(key), signal);
  if (event !== undefined) return event;
  throw new RpcError(
    status.NOT_FOUND,
    `no event has the key ${key.toString('hex')}; retention may have removed it`,
  );
}

/** A stream that begins when it is read, so that what is wrong with the request comes as its error. */
async function* deferred<T>(open: () => AsyncIterable<T>): AsyncIterable<T> {
  yield* open();
}
