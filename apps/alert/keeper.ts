import { AlertKind, DeliveryState } from '@auditing/proto/alert';
import { wait } from '@auditing/service/wait';
import type { Logger } from 'pino';
import type { DeliveryEntry } from './alert-entry';
import { alertIdOf } from './alert-ids';
import type { AlertMetrics } from './alert-metrics';
import type { Outbox } from './outbox';
import { outgoingOf } from './outgoing';
import type { Instance } from './receivers/instance';
import type { Keeping, Sent } from './receivers/receiver';
import type { Silence } from './receivers/read-silences';
import type { ShownAlert } from './receivers/shown-alert';

/** Between two looks at the instances: an Alertmanager that was started anew is without alerts no longer than this. */
const LOOK_MS = 5_000;
/** Between two questions of silences. */
const SILENCES_MS = 15_000;
/** An alert that is over is sent again for so long, as Alertmanager expects of its clients, */
export const RESOLVED_MS = 5 * 60_000;
/** this often. */
const RESOLVED_EVERY_MS = 60_000;
/** While more than this wait to be sent, nothing is asked: an answer may be tens of megabytes, and delivery comes first. */
const BUSY_COUNT = 1_000;
/** Alerts in one request. */
const BATCH_MAX = 64;

/** What keeping takes. */
export interface KeeperOptions {
  /** Name of the receiver. */
  readonly name: string;
  readonly keeping: Keeping;
  readonly outbox: Outbox;
  readonly metrics: AlertMetrics;
  readonly log: Logger;
  readonly now: () => number;
  /** Told of the silences in force, where somebody needs them. */
  readonly onSilences: ((silences: readonly Silence[]) => void) | undefined;
}

/** A delivered alert as the receiver has it. */
interface Kept {
  readonly delivery: DeliveryEntry;
  readonly endsAtMs: number;
}

/** Looks after what was delivered to a receiver that remembers alerts, until the signal aborts. */
export async function runKeeper(options: KeeperOptions, signal: AbortSignal): Promise<void> {
  const keeper = new Keeper(options, signal);
  while (!isAborted(signal)) {
    try {
      await keeper.look();
    } catch (error) {
      if (isAborted(signal)) return;
      options.log.warn({ err: error, receiver: options.name }, 'delivered alerts cannot be kept');
    }
    await wait(LOOK_MS, signal).catch(() => undefined);
  }
}

/** One look after the other. */
export class Keeper {
  readonly #options: KeeperOptions;
  readonly #signal: AbortSignal;
  /** When alerts that are over were sent again. */
  readonly #resolvedAtMs = new Map<string, number>();
  #askedAtMs = -Infinity;

  constructor(options: KeeperOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
  }

  async look(): Promise<void> {
    const { keeping, now, outbox, name } = this.#options;
    const lacking = await keeping.lacking(this.#signal);
    const kept = this.#kept();
    for (const instance of lacking) await this.#catchUp(kept, instance);
    await this.#resolve(kept);
    const isBusy = (outbox.index.lanes.get(name)?.size ?? 0) > BUSY_COUNT;
    if (now() - this.#askedAtMs < SILENCES_MS) return;
    this.#askedAtMs = now();
    await this.#readSilences();
    if (kept.size > 0 && !isBusy) await this.#readSuppression(kept);
  }

  /** What the receiver has, or had until a short while ago; of a group the last that was told. */
  #kept(): Map<string, Kept> {
    const { name, outbox, keeping, now } = this.#options;
    const kept = new Map<string, Kept>();
    const sinceMs = now() - keeping.holdMs - RESOLVED_MS;
    for (const alert of outbox.index.all()) {
      for (const delivery of alert.deliveries) {
        if (delivery.receiver !== name || delivery.state !== DeliveryState.DELIVERED) continue;
        if (delivery.isDigested || delivery.endedAtMs < sinceMs) continue;
        const key = keyOf(delivery);
        const endsAtMs = delivery.endedAtMs + keeping.holdMs;
        if ((kept.get(key)?.endsAtMs ?? 0) <= endsAtMs) kept.set(key, { delivery, endsAtMs });
      }
    }
    return kept;
  }

  /** Sends an instance all that is active, once after each start of it or of this service. */
  async #catchUp(kept: ReadonlyMap<string, Kept>, instance: Instance): Promise<void> {
    const { log, name: receiver, now } = this.#options;
    const active = [...kept.values()].filter(({ endsAtMs }) => endsAtMs > now());
    if (active.length > 0) {
      const fields = { receiver, instance: instance.endpoint.name, alerts: active.length };
      log.info(fields, 'instance may lack alerts: they are sent again');
    }
    if (await this.#resend(active, instance)) instance.settle();
  }

  /** Says of alerts that are over that they are: one that missed it would show them for ever. */
  async #resolve(kept: ReadonlyMap<string, Kept>): Promise<void> {
    const nowMs = this.#options.now();
    const due: Kept[] = [];
    for (const [key, one] of kept) {
      const lastMs = this.#resolvedAtMs.get(key) ?? -Infinity;
      if (one.endsAtMs > nowMs || nowMs - lastMs < RESOLVED_EVERY_MS) continue;
      this.#resolvedAtMs.set(key, nowMs);
      due.push(one);
    }
    for (const key of this.#resolvedAtMs.keys()) {
      if (!kept.has(key)) this.#resolvedAtMs.delete(key);
    }
    await this.#resend(due, undefined);
  }

  /** True if every instance that was meant took all. */
  async #resend(kept: readonly Kept[], instance: Instance | undefined): Promise<boolean> {
    const { outbox, keeping, metrics, name } = this.#options;
    let isTaken = true;
    for (let at = 0; at < kept.length; at += BATCH_MAX) {
      const sent: Sent[] = [];
      for (const { delivery, endsAtMs } of kept.slice(at, at + BATCH_MAX)) {
        const raised = await outbox.load(delivery.alert).catch(() => undefined);
        if (raised) sent.push({ outgoing: outgoingOf(raised, delivery), endsAtMs });
      }
      if (sent.length === 0) continue;
      isTaken = (await keeping.resend(sent, instance, this.#signal)) && isTaken;
      metrics.resent.inc({ receiver: name }, sent.length);
    }
    return isTaken;
  }

  async #readSilences(): Promise<void> {
    const { onSilences, keeping } = this.#options;
    const silences = onSilences && (await keeping.silences(this.#signal));
    if (silences) onSilences(silences);
  }

  /** Records which of the alerts are silenced or inhibited. */
  async #readSuppression(kept: ReadonlyMap<string, Kept>): Promise<void> {
    const { keeping, outbox } = this.#options;
    const shown = await keeping.shown({ alerttype: 'auditing' }, this.#signal);
    for (const one of shown ?? []) {
      const delivery = kept.get(alertIdIn(one))?.delivery;
      if (delivery === undefined) continue;
      const first = firstOf(delivery);
      const isSame =
        sameTexts(first.suppression?.silencedBy ?? [], one.silencedBy) &&
        sameTexts(first.suppression?.inhibitedBy ?? [], one.inhibitedBy);
      if (!isSame) await outbox.suppress(first, one);
    }
  }
}

/** The alert as it is known by: of an update it is the first of its group. */
function firstOf(delivery: DeliveryEntry): DeliveryEntry {
  const { first } = delivery.alert.group ?? { first: delivery.alert };
  return first.deliveries.find(({ receiver }) => receiver === delivery.receiver) ?? delivery;
}

/** What has the same labels has the same key. */
function keyOf({ alert }: DeliveryEntry): string {
  if (alert.kind === AlertKind.HEARTBEAT) return 'heartbeat';
  return alert.group?.first.id ?? alert.id;
}

function alertIdIn({ annotations }: ShownAlert): string {
  const key = Buffer.from(annotations['eventKey'] ?? '', 'hex');
  return alertIdOf(key, annotations['rule'] ?? '').toString('latin1');
}

function sameTexts(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((text) => b.includes(text));
}

/** A function, because the compiler takes a property for constant that changes during an await. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
