import { wait } from '@auditing/service/wait';

import { AnswerError, type OpenSearch } from './connect';

/**
 * How long to wait before each further try, in milliseconds: 1.5 s in all. An index that is being made has its shards in a
 * fraction of that; a cluster that has lost some has none of them later either, and its caller is to be told.
 */
const WAITS_MS = [50, 100, 200, 400, 700];

/** What a query asks, for a short time again while shards are not there: so it is while the first event of a day makes its index. */
export function patientReads(opensearch: Pick<OpenSearch, 'request'>): Pick<OpenSearch, 'request'> {
  return {
    async request(request, signal) {
      for (const waitMs of WAITS_MS) {
        try {
          return await opensearch.request(request, signal);
        } catch (error) {
          if (!lacksShards(error)) throw error;
        }
        await wait(waitMs, signal);
      }
      return opensearch.request(request, signal);
    },
  };
}

function lacksShards(error: unknown): boolean {
  return error instanceof AnswerError && error.statusCode === 503;
}
