import type { AuditEvent } from '@auditing/proto/event';

import type { KeptFacts } from './event-document';
import { COMPLETE } from './hits';
import { readEvent, typedStoredEvent, type Reading } from './stored-events';

/** The event with this key, with its bytes; of several that are equal and have no identity the one stored last. */
export async function findByKey(key: Buffer, reading: Reading): Promise<AuditEvent | undefined> {
  const { opensearch, pattern, signal } = reading;
  const id = key.toString('base64url');
  const { hits } = await opensearch.request<{
    hits: {
      hits: { _index: string; _id: string; _source: { Kept?: KeptFacts } }[];
    };
  }>(
    {
      method: 'POST',
      path: `/${pattern}/_search`,
      parameters: COMPLETE,
      body: {
        query: {
          bool: {
            should: [{ ids: { values: [id] } }, { term: { 'Kept.Key': id } }],
            minimum_should_match: 1,
          },
        },
        sort: [{ 'Kept.ReceivedAtUs': { order: 'desc', unmapped_type: 'long' } }],
        size: 1,
        _source: ['Kept'],
      },
    },
    signal,
  );
  const [hit] = hits.hits;
  if (hit === undefined) return undefined;
  const event = await readEvent({ index: hit._index, id: hit._id }, hit._source.Kept, reading);
  return event && typedStoredEvent(event, true);
}
