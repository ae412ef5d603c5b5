import { createHash } from 'node:crypto';
import type { Alert, RaiseRequest } from '@auditing/proto/alert';
import type { BatchId } from '@auditing/proto/event';

/**
 * The identity of each alert of a batch: hash of event key and rule.
 *
 * Events without an audit id or without a time may be different ones though their bytes are equal; theirs is a
 * hash of the batch and their place among their equals too, so that only the same batch gives the same id again.
 */
export function alertIds(batch: BatchId, alerts: RaiseRequest['alerts']): Buffer[] {
  const seen = new Map<string, number>();
  return alerts.map((alert) => {
    const key = alert.event?.key ?? Buffer.alloc(0);
    const id = alertIdOf(key, alert.rule);
    if (isOwnIdentity(alert)) return id;
    const text = id.toString('latin1');
    const place = seen.get(text) ?? 0;
    seen.set(text, place + 1);
    return hash('alert of batch', id, Buffer.from(`${batchText(batch)}/${place}`));
  });
}

/** The identity of the alert of an event that tells itself from others. */
export function alertIdOf(eventKey: Buffer, rule: string): Buffer {
  return hash('alert', eventKey, Buffer.from(rule));
}

/** The id under which an alert is delivered to one receiver. */
export function deliveryId(alertId: Buffer, receiver: string): Buffer {
  return hash('delivery', alertId, Buffer.from(receiver));
}

/** A batch, as text. */
export function batchText(id: BatchId): string {
  return [id.epoch, id.sequence, id.part, id.firstEvent, id.eventCount].map(String).join('/');
}

/** True if an event with equal bytes is the same event. */
function isOwnIdentity({ event }: Alert): boolean {
  if (!event?.auditId) return false;
  return event.requestReceivedTimestamp !== undefined || event.stageTimestamp !== undefined;
}

/** Each part is hashed with its length before it, so that no two lists of parts look alike. */
function hash(...parts: readonly (string | Buffer)[]): Buffer {
  const sha256 = createHash('sha256');
  for (const part of parts) {
    const bytes = typeof part === 'string' ? Buffer.from(part) : part;
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    sha256.update(length).update(bytes);
  }
  return sha256.digest();
}
