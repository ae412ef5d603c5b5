import { jsonText } from '@auditing/audit-event/json-text';
import { kubesphereDocument } from '@auditing/audit-event/kubesphere-document';
import type { ArchiveServiceService } from '@auditing/proto/archive';
import type { Api } from '@auditing/service/rpc';
import type { ApiAnswer, ApiHandler, ApiRoutes } from './api-handler';
import { archiveSeconds, foldBuckets } from './interval';
import { readKapisQuery, type KapisQuery } from './kapis-query';
import { searchAnswer } from './streamed-json';

/** What KubeSphere's console asks. */
type Archive = Pick<Api<typeof ArchiveServiceService>, 'search' | 'statistics' | 'histogram'>;

/** Paths of KubeSphere 3 and of 4, for this cluster and for one by name. */
const PATHS = [
  'tenant.kubesphere.io/v1alpha2/auditing/events',
  'logging.kubesphere.io/v1alpha2/auditing',
];

/** The query API of KubeSphere: its paths, parameters and answers. */
export function kapisRoutes(archive: Archive): ApiRoutes {
  const handler: ApiHandler = ({ parameters, path, signal }) => {
    const question = readKapisQuery(parameters, path.cluster);
    switch (question.operation) {
      case 'query':
        return find(archive, question, signal);
      case 'statistics':
        return count(archive, question, signal);
      case 'histogram':
        return countByTime(archive, question, signal);
    }
  };
  return Object.fromEntries(
    PATHS.flatMap((path) => [
      [`/kapis/${path}`, handler],
      [`/kapis/clusters/:cluster/${path}`, handler],
    ]),
  );
}

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
  const body = await searchAnswer(archive.search(request, signal), {
    head: '{"query":{"records":',
    none: 'null',
    record: (event) => jsonText(kubesphereDocument(event)),
    tail: (last) => `,"total":${String(last?.total ?? 0n)}}}`,
  });
  return { body };
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
