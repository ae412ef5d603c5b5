import type { AuditEvent } from '@auditing/proto/event';
import type { Timestamp } from '@auditing/proto/timestamp';

/** Stages after which a request is over. */
const LAST_STAGES: ReadonlySet<string> = new Set(['ResponseComplete', 'Panic']);

/** How the request of an event ended, such as `403 Forbidden`; empty if the event does not say. */
export function outcomeOf(event: AuditEvent | undefined): string {
  const response = event?.responseStatus;
  if (event?.stage === 'Panic') return 'panic';
  if (!response?.code || (event?.stage && !LAST_STAGES.has(event.stage))) return '';
  return [String(response.code), response.reason].filter((one) => one !== '').join(' ');
}

/** When the request of an event was received, in milliseconds; undefined if it does not say. */
export function requestMs(event: AuditEvent | undefined): number | undefined {
  const ms = millisOf(event?.requestReceivedTimestamp);
  return ms !== undefined && ms > 0 ? ms : undefined;
}

/** A moment in milliseconds since 1970. */
export function millisOf(at: Timestamp | undefined): number | undefined {
  return at && Number(at.seconds) * 1_000 + at.nanos / 1e6;
}

/** A moment from milliseconds since 1970. */
export function timestampOf(ms: number): Timestamp {
  const seconds = Math.floor(ms / 1_000);
  return { seconds: BigInt(seconds), nanos: Math.round((ms - seconds * 1_000) * 1e6) };
}
