import { AlertKind, DeliveryState } from '@auditing/proto/alert';
import { wait } from '@auditing/service/wait';
import type { Logger } from 'pino';
import type { AlertEntry, DeliveryEntry } from './alert-entry';
import type { AlertMetrics } from './alert-metrics';
import type { Outbox } from './outbox';

/** Between looks for what others did not take. */
const LOOK_MS = 1_000;
/** Deliveries that are written down together. */
const TOGETHER_MAX = 500;
/** What was given up longer ago was given up before there was a fallback: nobody waits for it. */
const DEAD_MS = 10 * 60_000;

/** What falling back takes. */
export interface FallbackOptions {
  /** Name of the receiver that gets what others do not take. */
  readonly receiver: string;
  /** How long an alert waits for another receiver before. */
  readonly afterMs: number;
  /** Names of the receivers in use. */
  readonly receivers: () => readonly string[];
  readonly outbox: Outbox;
  readonly metrics: AlertMetrics;
  readonly log: Logger;
  readonly now: () => number;
}

/** Hands a receiver what others did not take in time or refused, until the signal aborts. Those others are still to have it. */
export async function runFallback(options: FallbackOptions, signal: AbortSignal): Promise<void> {
  let isFailing = false;
  while (!signal.aborted) {
    try {
      await fallBack(options);
      isFailing = false;
    } catch (error) {
      if (!isFailing) options.log.error({ err: error }, 'alerts cannot be handed to the fallback');
      isFailing = true;
    }
    await wait(LOOK_MS, signal).catch(() => undefined);
  }
}

/** Says, once until that changes, that there is no receiver of the name that the fallback has. To be called with the names of all. */
export function fallbackWarning(
  fallback: string,
  log: Logger,
): (receivers: readonly string[]) => void {
  let isMissing = false;
  return (receivers) => {
    const wasMissing = isMissing;
    isMissing = fallback !== '' && !receivers.includes(fallback);
    if (!isMissing || wasMissing) return;
    log.warn(
      { fallback, receivers },
      'AUDITING_ALERT_FALLBACK names no receiver of the Webhook resource: what others do not take is handed to nobody; name one of them',
    );
  };
}

async function fallBack(options: FallbackOptions): Promise<void> {
  const { receiver, receivers, outbox, metrics, log } = options;
  if (!receivers().includes(receiver)) return;
  const untaken = [...notTaken(options)].filter(({ alert }) => !isHandedOver(alert, receiver));
  const from = new Map<string, number>();
  const alerts = new Set<AlertEntry>();
  for (const { alert, receiver: of } of untaken) {
    from.set(of, (from.get(of) ?? 0) + 1);
    alerts.add(alert);
  }
  const all = [...alerts];
  for (let at = 0; at < all.length; at += TOGETHER_MAX) {
    await outbox.handOver(all.slice(at, at + TOGETHER_MAX), receiver);
  }
  for (const [of, count] of from) {
    metrics.handedOver.inc({ receiver: of }, count);
    log.warn({ receiver: of, fallback: receiver, alerts: count }, 'alerts handed to the fallback');
  }
}

/** Deliveries that wait for too long, or were given up a short while ago. */
function* notTaken({ receiver, afterMs, outbox, now }: FallbackOptions): Generator<DeliveryEntry> {
  const nowMs = now();
  for (const [name, lane] of outbox.index.lanes) {
    if (name !== receiver) yield* lane.pendingBefore(nowMs - afterMs);
  }
  for (const { deliveries } of outbox.index.all()) {
    for (const one of deliveries) {
      const isNews = one.state === DeliveryState.DEAD && one.endedAtMs > nowMs - DEAD_MS;
      // Its digest is what was given up.
      if (isNews && !one.isDigested && one.receiver !== receiver) yield one;
    }
  }
}

/** True if there is nothing to hand over: it is there, or it speaks of the other receiver alone. */
function isHandedOver({ kind, deliveries }: AlertEntry, receiver: string): boolean {
  if (kind === AlertKind.HEARTBEAT || kind === AlertKind.PROBE) return true;
  return deliveries.some((one) => one.receiver === receiver);
}
