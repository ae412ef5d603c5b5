import type { DeliveryEntry } from './alert-entry';
import type { Lane } from './lane';

/** Nothing to do is looked at again after this time: alerts grow too old without a sound. */
const IDLE_MS = 30_000;

/** What is to be done now. */
export interface Due {
  readonly due: readonly DeliveryEntry[];
  /** One that failed alone before, and is due again. */
  readonly suspect: DeliveryEntry | undefined;
  /** Until something is due; and until something is that did not fail alone. In milliseconds. */
  readonly waitMs: number;
  readonly othersWaitMs: number;
}

/** How much may be due. */
interface Limits {
  /** Most deliveries that did not fail alone. */
  readonly max: number;
  /** Requests shrink to one alert: one that has not failed alone goes first, by itself. */
  readonly isProbing: boolean;
  readonly nowMs: number;
}

/** What of a lane is due: up to a round's worth of deliveries, and besides them one of those that failed alone. */
export function dueIn(lane: Lane, { max, isProbing, nowMs }: Limits): Due {
  const due: DeliveryEntry[] = [];
  let suspect: DeliveryEntry | undefined;
  let waitMs = IDLE_MS;
  let othersWaitMs = IDLE_MS;
  for (const delivery of lane) {
    const leftMs = delivery.notBeforeMs - nowMs;
    if (leftMs > 0) {
      waitMs = Math.min(waitMs, leftMs);
      if (!delivery.hasFailedAlone) othersWaitMs = Math.min(othersWaitMs, leftMs);
    } else if (delivery.hasFailedAlone) suspect ??= delivery;
    else due.push(delivery);
    if (due.length === max) break;
  }
  if (isProbing && due.length > 0) suspect = undefined;
  return { due, suspect, waitMs, othersWaitMs };
}
