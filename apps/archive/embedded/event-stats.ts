import { timestampFromMicros } from '@auditing/audit-event/timestamp';
import type { StatsResponse } from '@auditing/proto/archive';

import type { SegmentSummary } from './segment-index';

/** What the summaries of all segments say of the events in them. */
export function eventStats(
  summaries: readonly SegmentSummary[],
): Pick<StatsResponse, 'eventCount' | 'oldestEvent' | 'newestEvent' | 'newestReceivedAt'> {
  let eventCount = 0;
  let oldestUs = Infinity;
  let newestUs = -Infinity;
  let receivedUs = 0;
  for (const { rowCount, minTimeUs, maxTimeUs, newestReceivedUs } of summaries) {
    if (rowCount === 0) continue;
    eventCount += rowCount;
    oldestUs = Math.min(oldestUs, minTimeUs);
    newestUs = Math.max(newestUs, maxTimeUs);
    receivedUs = Math.max(receivedUs, newestReceivedUs);
  }
  return {
    eventCount: BigInt(eventCount),
    oldestEvent: eventCount === 0 ? undefined : timestampFromMicros(oldestUs),
    newestEvent: eventCount === 0 ? undefined : timestampFromMicros(newestUs),
    newestReceivedAt: timestampFromMicros(receivedUs),
  };
}
