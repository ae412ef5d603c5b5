import { createHash } from 'node:crypto';
import type { Alert } from '@auditing/proto/alert';

/** Half a SHA-256 is enough to tell groups apart, and takes 16 bytes as latin1 text. */
const KEY_BYTES = 16;

/** What alerts of one group have in common: the rule, who did what, and to which object. */
export function groupKey({ rule, event }: Alert): string {
  const object = event?.objectRef;
  return hash([
    rule,
    event?.cluster ?? '',
    object?.namespace ?? '',
    object?.resource ?? '',
    object?.name ?? '',
    event?.user?.username ?? '',
    event?.verb ?? '',
  ]);
}

/**
 * What all stages of one request have in common; undefined if the event does not say which request it is of. The audit
 * id alone is not enough: its client chooses it, and could hide a request behind an earlier one.
 */
export function requestKey({ rule, event }: Alert): string | undefined {
  const at = event?.requestReceivedTimestamp;
  if (!event?.auditId || at === undefined) return undefined;
  const { auditId, user, verb, requestUri } = event;
  const moment = `${at.seconds}.${at.nanos}`;
  return hash([rule, auditId, moment, user?.username ?? '', verb, requestUri]);
}

function hash(parts: readonly string[]): string {
  // As JSON no two lists of texts look alike.
  const sha256 = createHash('sha256').update(JSON.stringify(parts));
  return sha256.digest().toString('latin1', 0, KEY_BYTES);
}
