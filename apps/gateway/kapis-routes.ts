import { jsonText } from '@auditing/audit-event/json-text';
import { kubesphereDocument } from '@auditing/audit-event/kubesphere-document';
import type { ArchiveServiceService } from '@auditing/proto/archive';
import type { Api } from '@auditing/service/rpc';
import type { ApiAnswer, ApiRoute } from './api-route';
import { KAPIS } from './api-schemas';
import { archiveSeconds, foldBuckets } from './interval';
import {
  kapisParameters,
  OPERATIONS_V3,
  OPERATIONS_V4,
  readKapisQuery,
  type KapisQuery,
} from './kapis-query';
import { streamed, streamedList } from './streamed-answer';

type Archive = Pick<Api<typeof ArchiveServiceService>, 'search' | 'statistics' | 'histogram'>;

/** Paths of KubeSphere 3 and of 4, with the operations that each knows. */
const PATHS = [
  ['tenant.kubesphere.io/v1alpha2/auditing/events', OPERATIONS_V3],
  ['logging.kubesphere.io/v1alpha2/auditing', OPERATIONS_V4],
] as const;

/** Records of an export at most; a longer one is asked for by time, or at our own `export`. */
const EXPORT_MAX = 100_000;
/** Records that an export asks the archive for at a time. */
const EXPORT_PAGE = 1_000;

/** The query API of KubeSphere: its paths, for this cluster and for one by name, its parameters and answers. */
export const KAPIS_ROUTES: readonly ApiRoute[] = PATHS.flatMap(([path, operations]) =>
  ['/kapis', '/kapis/clusters/:cluster'].map((root) => ({
    path: `${root}/${path}`,
    need: 'events' as const,
    summary: 'As KubeSphere answers it: records, counts, or counts by time.',
    parameters: kapisParameters(operations),
    isLenient: true,
    // As there: no user, no entry.
    anonymousStatus: 403 as const,
    answerSchema: KAPIS,
    answer({ parameters, path: { cluster }, services, signal }) {
      const question = readKapisQuery(parameters, operations, cluster);
      switch (question.operation) {
        case 'query':
          return find(services.archive, question, signal);
        case 'statistics':
          return count(services.archive, question, signal);
        case 'histogram':
          return countByTime(services.archive, question, signal);
        case 'export':
          return exportRecords(services.archive, question, signal);
      }
    },
  })),
);

async function find(
  archive: Archive,
  { query, from, size, order }: KapisQuery,
  signal: AbortSignal,
): Promise<ApiAnswer> {
  if (size === 0) {
    const { eventCount } = await archive.statistics({ query }, signal);
    return { body: { query: { total: Number(eventCount), records: null } } };
  }
  const request = {
    query,
    order,
    limit: size,
    offset: from,
    cursor: '',
    includeRaw: true,
    countTotal: true,
    reportProgress: false,
  };
  const body = await streamedList(archive.search(request, signal), {
    head: '{"query":{"records":',
    none: 'null',
    records: ({ events }) => events.map((event) => jsonText(kubesphereDocument(event))),
    tail: (last) => `,"total":${String(last?.total ?? 0n)}}}`,
  });
  return { body };
}

/** The records one a line, as a file. */
async function exportRecords(
  archive: Archive,
  question: KapisQuery,
  signal: AbortSignal,
): Promise<ApiAnswer> {
  const body = await streamed(records(archive, question, signal));
  return { body, type: 'text/plain', fileName: 'auditing.txt' };
}

async function* records(
  archive: Archive,
  { query, order }: KapisQuery,
  signal: AbortSignal,
): AsyncGenerator<string, void> {
  let cursor = '';
  for (let written = 0; written < EXPORT_MAX; written += EXPORT_PAGE) {
    const page = { offset: 0, limit: EXPORT_PAGE, countTotal: false, reportProgress: false };
    const request = { query, order, cursor, includeRaw: true, ...page };
    cursor = '';
    for await (const { events, nextCursor } of archive.search(request, signal)) {
      cursor = nextCursor;
      if (events.length === 0) continue;
      yield events.map((event) => `${jsonText(kubesphereDocument(event))}\n`).join('');
    }
    if (cursor === '') return;
  }
}

async function count(
  archive: Archive,
  { query }: KapisQuery,
  signal: AbortSignal,
): Promise<ApiAnswer> {
  const { eventCount, requestCount } = await archive.statistics({ query }, signal);
  return { body: { statistics: { resources: Number(requestCount), events: Number(eventCount) } } };
}

async function countByTime(
  archive: Archive,
  { query, interval }: KapisQuery,
  signal: AbortSignal,
): Promise<ApiAnswer> {
  const intervalSeconds = archiveSeconds(interval);
  const { buckets, total } = await archive.histogram({ query, intervalSeconds }, signal);
  const folded = foldBuckets(buckets, interval).map(({ startMs, count: events }) => ({
    time: startMs,
    count: events,
  }));
  return { body: { histogram: { total: Number(total), buckets: folded } } };
}
