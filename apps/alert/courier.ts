import { DeliveryState } from '@auditing/proto/alert';
import { backoffMs, type Backoff } from '@auditing/service/retry';
import { wait } from '@auditing/service/wait';
import type { Logger } from 'pino';
import type { AlertMetrics } from './alert-metrics';
import type { DeliveryEntry } from './alert-entry';
import { deliver, type ItemAnswer } from './deliver';
import { dueIn, type Due } from './due';
import type { Lane } from './lane';
import type { Outbox } from './outbox';
import type { Ending } from './outbox-records';
import { outgoingOf } from './outgoing';
import type { Answer, Outgoing, Receiver } from './receivers/receiver';

/** The cap is what operators expect of a queue that comes back by itself within a minute. */
export const DELIVERY_BACKOFF: Backoff = { initialMs: 1_000, maxMs: 60_000 };
/** After so many failures in a row requests shrink to one alert, in case a single one makes the receiver fail. */
const FAILURES_BEFORE_PROBES = 3;

/** What a courier works with. */
export interface CourierOptions {
  readonly name: string;
  readonly receiver: Receiver;
  readonly outbox: Outbox;
  readonly metrics: AlertMetrics;
  readonly log: Logger;
  /** An alert that was not taken by this age is given up. */
  readonly maxAgeMs: number;
  /** Ids of the silences for which an alert is not sent; undefined if none keeps anything from this receiver. */
  readonly silencedBy: ((outgoing: Outgoing) => string[]) | undefined;
  /** Told why a request failed; empty once one is answered, if only to refuse an alert. */
  readonly onAnswer: (lastError: string) => void;
  readonly backoff: Backoff;
  readonly now: () => number;
}

/**
 * Brings one receiver what is in its lane, until the signal aborts. It has its own order, its own pace and its own
 * failures: nothing of it delays another receiver.
 */
export async function runCourier(options: CourierOptions, signal: AbortSignal): Promise<void> {
  const courier = new Courier(options, signal);
  while (!isAborted(signal)) {
    try {
      await courier.round();
    } catch (error) {
      if (isAborted(signal)) return;
      // A bug must not silence a receiver for good.
      options.log.error({ err: error, receiver: options.name }, 'delivery failed unexpectedly');
      await wait(options.backoff.maxMs, signal).catch(() => undefined);
    }
  }
}

class Courier {
  readonly #options: CourierOptions;
  readonly #signal: AbortSignal;
  readonly #lane: Lane;
  /** Rounds in a row in which the receiver took nothing and refused nothing. */
  #failures = 0;
  /** Tries in a row of alerts that failed alone before which failed again. */
  #suspectFailures = 0;

  constructor(options: CourierOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
    this.#lane = options.outbox.index.lane(options.name);
  }

  get #isProbing(): boolean {
    return this.#failures >= FAILURES_BEFORE_PROBES;
  }

  /**
   * Sends what is due, and after it, if that found the receiver at work, one of those that failed alone. Records what became of
   * it, and waits if the receiver failed or nothing is due.
   */
  async round(): Promise<void> {
    await this.#giveUpOld();
    const { due, suspect, waitMs } = this.#due();
    if (due.length === 0 && suspect === undefined) {
      await this.#lane.added.heard(waitMs, this.#signal);
      return;
    }
    const isSilenced = await this.#endSilenced(suspect ? [...due, suspect] : due);
    const others = due.filter((one) => !isSilenced.has(one));
    const answers = await this.#send(inBatches(others, this.#options.receiver.batchMax));
    if (answers.length > 0 && answers.every(({ answer }) => answer.kind === 'retry')) {
      await this.#pause(answers);
      return;
    }
    if (answers.length > 0) await this.#goOn(answers);
    if (suspect && !isSilenced.has(suspect)) await this.#sendSuspect(suspect);
  }

  #due(): Due {
    const { receiver, now } = this.#options;
    const max = this.#isProbing ? 1 : receiver.batchMax * receiver.concurrency;
    return dueIn(this.#lane, { max, isProbing: this.#isProbing, nowMs: now() });
  }

  /** What is under a silence ends here, before it is sent. Gives those. */
  async #endSilenced(due: readonly DeliveryEntry[]): Promise<ReadonlySet<DeliveryEntry>> {
    const { silencedBy, outbox } = this.#options;
    const endings = new Map<DeliveryEntry, Ending>();
    if (silencedBy === undefined) return new Set();
    for (const delivery of due) {
      // What cannot be read is found out, and said, where it is sent.
      const raised = await outbox.load(delivery.alert).catch(() => undefined);
      const by = raised ? silencedBy(outgoingOf(raised, delivery)) : [];
      if (by.length === 0) continue;
      delivery.revision = delivery.alert.group?.revision ?? 0;
      endings.set(delivery, { delivery, state: DeliveryState.SILENCED, silencedBy: by });
    }
    await this.#end([...endings.values()]);
    return new Set(endings.keys());
  }

  /** Sends one batch; each alert is read from disk just now, and forgotten right after. */
  async #deliver(batch: readonly DeliveryEntry[]): Promise<ItemAnswer<DeliveryEntry>[]> {
    const { receiver, outbox, metrics, name, onAnswer } = this.#options;
    const loaded = new Map<DeliveryEntry, Outgoing>();
    const damaged: ItemAnswer<DeliveryEntry>[] = [];
    const load = async (delivery: DeliveryEntry): Promise<void> => {
      try {
        const raised = await outbox.load(delivery.alert);
        loaded.set(delivery, outgoingOf(raised, delivery));
        // What its group has come to counts as told once the receiver takes it.
        delivery.revision = delivery.alert.group?.revision ?? 0;
      } catch (error) {
        this.#options.log.error({ err: error, receiver: name }, 'alert cannot be read back');
        const reason = 'its record in the outbox is damaged';
        damaged.push({ item: delivery, answer: { kind: 'refused', reason } });
      }
    };
    await Promise.all(batch.map(load));
    if (loaded.size === 0) return damaged;
    const answers = await deliver(
      batch.filter((one) => loaded.has(one)),
      async (part) => {
        for (const delivery of part) delivery.attemptCount += 1;
        const outgoing = part.flatMap((delivery) => loaded.get(delivery) ?? []);
        const answer = await receiver.send(outgoing, this.#signal);
        metrics.attempts.inc({ receiver: name, outcome: answer.kind });
        // Who refuses an alert works: it is the alert that is wrong.
        onAnswer(answer.kind === 'retry' ? answer.reason : '');
        return answer;
      },
    );
    return [...answers, ...damaged];
  }

  /** Sends batches side by side, and records what became of each alert. */
  async #send(batches: readonly DeliveryEntry[][]): Promise<ItemAnswer<DeliveryEntry>[]> {
    const answers = (await Promise.all(batches.map((batch) => this.#deliver(batch)))).flat();
    await this.#record(answers);
    return answers;
  }

  async #record(answers: readonly ItemAnswer<DeliveryEntry>[]): Promise<void> {
    const endings: Ending[] = [];
    for (const { item, answer } of answers) {
      switch (answer.kind) {
        case 'taken':
          endings.push({ delivery: item, state: DeliveryState.DELIVERED, by: answer.by });
          break;
        case 'refused':
          endings.push({ delivery: item, state: DeliveryState.DEAD, reason: answer.reason });
          break;
        case 'retry':
          this.#options.outbox.noteFailure(item, answer.reason);
          break;
      }
    }
    await this.#end(endings);
  }

  /** The receiver took or refused something. What it did not take has its own back-off; a wait that it asked for is granted. */
  async #goOn(answers: readonly ItemAnswer<DeliveryEntry>[]): Promise<void> {
    const { backoff, now } = this.#options;
    this.#noteWorking();
    for (const { item, answer } of answers) {
      if (answer.kind === 'retry') item.notBeforeMs = now() + backoffMs(item.attemptCount, backoff);
    }
    const askedMs = Math.max(...answers.map(askedMsOf));
    if (askedMs > 0) await wait(askedMs, this.#signal);
  }

  /** The receiver took nothing: waits as it asks, or longer with each failure in a row. */
  async #pause(answers: readonly ItemAnswer<DeliveryEntry>[]): Promise<void> {
    const { backoff, now } = this.#options;
    const [only] = answers;
    this.#noteFailing(only?.answer);
    if (only && answers.length === 1 && this.#isProbing) {
      only.item.hasFailedAlone = true;
      only.item.notBeforeMs = now() + backoffMs(only.item.attemptCount, backoff);
    }
    this.#failures += 1;
    const askedMs = Math.max(...answers.map(askedMsOf));
    await wait(Math.max(askedMs, backoffMs(this.#failures, backoff)), this.#signal);
  }

  /**
   * Sends one that failed alone before, by itself and after the others: it may be what the receiver fails at. A new alert is not
   * kept waiting for it, a wait that is asked for is its own.
   */
  async #sendSuspect(suspect: DeliveryEntry): Promise<void> {
    const { backoff, now } = this.#options;
    const [answered] = await this.#send([[suspect]]);
    if (answered?.answer.kind !== 'retry') {
      // It answers: so it was the receiver that failed, not each of those that it was tried with.
      this.#noteWorking();
      this.#suspectFailures = 0;
      for (const one of this.#lane) {
        if (one.hasFailedAlone) Object.assign(one, { hasFailedAlone: false, notBeforeMs: 0 });
      }
      return;
    }
    this.#suspectFailures += 1;
    const ownMs = Math.max(askedMsOf(answered), backoffMs(suspect.attemptCount, backoff));
    suspect.notBeforeMs = now() + ownMs;
    const { due, othersWaitMs } = this.#due();
    if (due.length > 0) return;
    const pauseMs = backoffMs(this.#suspectFailures, backoff);
    await this.#lane.added.heard(Math.min(pauseMs, othersWaitMs), this.#signal);
  }

  async #giveUpOld(): Promise<void> {
    const { maxAgeMs, now } = this.#options;
    const old = [...this.#lane.pendingBefore(now() - maxAgeMs)];
    const hours = Math.round(maxAgeMs / 360_000) / 10;
    await this.#end(
      old.map((delivery) => ({
        delivery,
        state: DeliveryState.DEAD,
        reason: `not taken within ${hours} h; last: ${delivery.lastError || 'not tried'}`,
      })),
    );
  }

  async #end(endings: readonly Ending[]): Promise<void> {
    const { outbox, log, name, metrics, now } = this.#options;
    await outbox.end(endings, this.#signal);
    const counts = { delivered: 0, dead: 0, silenced: 0 };
    let reason = '';
    for (const ending of endings) {
      switch (ending.state) {
        case DeliveryState.DEAD:
          counts.dead += 1;
          reason ||= ending.reason;
          break;
        case DeliveryState.SILENCED:
          counts.silenced += 1;
          break;
        case DeliveryState.DELIVERED: {
          counts.delivered += 1;
          const { raisedAtMs, receivedAtMs } = ending.delivery.alert;
          const since = (ms: number): number => Math.max(0, (now() - ms) / 1_000);
          metrics.acceptSeconds.observe({ receiver: name }, since(raisedAtMs));
          metrics.eventToAcceptSeconds.observe({ receiver: name }, since(receivedAtMs));
        }
      }
    }
    for (const [outcome, count] of Object.entries(counts)) {
      metrics.deliveries.inc({ receiver: name, outcome }, count);
    }
    if (reason) log.warn({ receiver: name, alerts: counts.dead, reason }, 'alerts given up');
  }

  #noteFailing(answer: Answer | undefined): void {
    if (this.#failures > 0 || answer?.kind !== 'retry') return;
    const { log, name } = this.#options;
    log.warn({ receiver: name, reason: answer.reason }, 'receiver began to fail');
  }

  #noteWorking(): void {
    if (this.#failures > 0)
      this.#options.log.info({ receiver: this.#options.name }, 'receiver works again');
    this.#failures = 0;
  }
}

/** How long the receiver asked to be left alone. */
function askedMsOf({ answer }: ItemAnswer<DeliveryEntry>): number {
  return answer.kind === 'retry' ? (answer.retryAfterMs ?? 0) : 0;
}

/** A function, because the compiler takes a property for constant that changes during an await. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

function inBatches<Item>(items: readonly Item[], size: number): Item[][] {
  const batches: Item[][] = [];
  for (let at = 0; at < items.length; at += size) batches.push(items.slice(at, at + size));
  return batches;
}
