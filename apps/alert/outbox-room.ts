import type { Journal } from '@auditing/journal/journal';
import type { AlertIndex, HistoryLimits } from './alert-index';
import { OutboxUnavailableError } from './outbox-records';

/** History may take this share of the room; beyond it the oldest of it goes, so that new alerts find room. */
const HISTORY_SHARE = 0.5;

/** How much an outbox may hold. */
export interface OutboxLimits {
  readonly history: HistoryLimits;
  /** Bytes on disk from which on no alert is taken. */
  readonly maxBytes: number;
  /** Alerts not yet delivered from which on no alert is taken: each has an entry in memory. */
  readonly maxPending: number;
}

/** What takes room: on disk, and in memory. */
export interface Held {
  readonly journal: Journal;
  readonly index: AlertIndex;
}

/** Throws OutboxUnavailableError if there is no room for another alert. */
export function checkRoom({ journal, index }: Held, { maxBytes, maxPending }: OutboxLimits): void {
  if (journal.bytes >= maxBytes) {
    throw new OutboxUnavailableError(
      `the outbox is full: ${journal.bytes} of ${maxBytes} bytes; bring the receivers back, or raise AUDITING_ALERT_OUTBOX_MAX_BYTES`,
    );
  }
  if (index.pendingCount >= maxPending) {
    throw new OutboxUnavailableError(
      `the outbox is full: ${index.pendingCount} alerts wait for their receivers; bring them back, or raise AUDITING_ALERT_PENDING_MAX`,
    );
  }
}

/** Forgets what was delivered beyond the limits of history. On disk it stays until it is trimmed. */
export function forgetHistory({ journal, index }: Held, limits: OutboxLimits, nowMs: number): void {
  index.forget(limits.history, nowMs);
  for (const segment of journal.segments()) {
    const bytesFrom = journal.bytes - (segment.start - journal.start);
    if (bytesFrom <= limits.maxBytes * HISTORY_SHARE) break;
    index.forgetBefore(segment.end);
  }
}

/** Position of the oldest record that somebody may ask for. */
export function neededFrom({ journal, index }: Held): number {
  return index.oldestPosition ?? journal.end;
}

/** True if a segment holds nothing that is needed: only whole ones are removed. */
export function canTrim(held: Held): boolean {
  const needed = neededFrom(held);
  return held.journal.segments().some(({ sealed, end }) => sealed && end <= needed);
}
