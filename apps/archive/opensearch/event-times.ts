import { Query } from '@auditing/proto/archive';

import { COMPLETE, type Searched } from './hits';
import { queryClauses } from './query-clauses';

/** Of all events. Microseconds since 1970; 0 without events. */
export interface EventTimes {
  readonly eventCount: number;
  readonly oldestUs: number;
  readonly newestUs: number;
  readonly newestReceivedUs: number;
}

interface Extreme {
  readonly value: number | null;
}

/** Counts all events, and says from when to when they are. */
export async function eventTimes({ opensearch, pattern, signal }: Searched): Promise<EventTimes> {
  const { hits, aggregations } = await opensearch.request<{
    hits: { total?: { value: number } };
    aggregations?: { oldest: Extreme; newest: Extreme; received: Extreme };
  }>(
    {
      method: 'POST',
      path: `/${pattern}/_search`,
      parameters: COMPLETE,
      body: {
        size: 0,
        track_total_hits: true,
        query: queryClauses(Query.create()),
        aggs: {
          oldest: { min: { field: 'Kept.TimeUs' } },
          newest: { max: { field: 'Kept.TimeUs' } },
          received: { max: { field: 'Kept.ReceivedAtUs' } },
        },
      },
    },
    signal,
  );
  return {
    eventCount: hits.total?.value ?? 0,
    oldestUs: aggregations?.oldest.value ?? 0,
    newestUs: aggregations?.newest.value ?? 0,
    newestReceivedUs: aggregations?.received.value ?? 0,
  };
}
