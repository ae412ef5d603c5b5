import { AlertKind } from '@auditing/proto/alert';
import type { RaisedAlert } from '@auditing/proto/outbox';
import { wait } from '@auditing/service/wait';
import type { Logger } from 'pino';
import type { AlertMetrics } from './alert-metrics';
import type { DigestPile } from './digest-piles';
import { summaryOf, untold, type Group } from './group';
import type { Outbox } from './outbox';
import { digestAlert, heartbeatAlert, updateAlert } from './own-alerts';
import type { Rate } from './token-buckets';

/** Event keys that a digest lists: some six kilobytes of text. */
const DIGEST_KEYS_MAX = 100;
/** Groups whose updates are written down together. */
const UPDATES_MAX = 500;
/** Between looks for what is due. */
const TICK_MS = 500;

/** What telling takes. */
export interface TellerOptions {
  readonly outbox: Outbox;
  readonly metrics: AlertMetrics;
  readonly log: Logger;
  readonly now: () => number;
  readonly digestIntervalMs: number;
  /** 0: none. */
  readonly heartbeatMs: number;
  readonly rate: Rate;
  /** Names of the receivers in use. */
  readonly receivers: () => readonly string[];
}

/** Raises what nobody raises: what groups have come to, digests, heartbeats. */
export class Teller {
  readonly #options: TellerOptions;
  #lastBeatMs = 0;
  #isFailing = false;

  constructor(options: TellerOptions) {
    this.#options = options;
  }

  /** Does so until the signal aborts. What the disk does not take now is told later. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.tell();
        this.#isFailing = false;
      } catch (error) {
        if (!this.#isFailing) this.#options.log.error({ err: error }, 'updates cannot be raised');
        this.#isFailing = true;
      }
      await wait(TICK_MS, signal).catch(() => undefined);
    }
  }

  /** Raises all that is due now. */
  async tell(): Promise<void> {
    const nowMs = this.#options.now();
    await this.#updateGroups(nowMs);
    const { outbox, digestIntervalMs } = this.#options;
    for (const pile of outbox.state.piles.begunBefore(nowMs - digestIntervalMs)) {
      await this.#digest(pile);
    }
    await this.#beat(nowMs);
  }

  /** Digests what waits for one receiver, whether or not it is due. */
  async digestAll(receiver: string): Promise<void> {
    for (const pile of this.#options.outbox.state.piles.of(receiver)) await this.#digest(pile);
  }

  async #updateGroups(nowMs: number): Promise<void> {
    const { outbox } = this.#options;
    const { groups } = outbox.state;
    const due = groups.due(nowMs).slice(0, UPDATES_MAX);
    const firsts = new Map<Group, RaisedAlert>();
    for (const group of due) {
      if (untold(group).length === 0) continue;
      const first = await outbox.load(group.first).catch(() => undefined);
      if (first) firsts.set(group, first);
    }
    if (firsts.size > 0) {
      await this.#raise(AlertKind.UPDATE, () =>
        [...firsts].flatMap(([group, first]) => {
          const receivers = untold(group);
          if (receivers.length === 0) return [];
          const summary = summaryOf(group, first.alert);
          return updateAlert(first, { summary, receivers, nowMs }) ?? [];
        }),
      );
    }
    for (const group of due) groups.turn(group, nowMs);
  }

  async #digest(pile: DigestPile): Promise<void> {
    const { outbox, now, rate, log } = this.#options;
    const eventKeys: Buffer[] = [];
    for (const { alert } of pile.deliveries.slice(0, DIGEST_KEYS_MAX)) {
      const raised = await outbox.load(alert).catch(() => undefined);
      const key = raised?.alert?.event?.key;
      if (key) eventKeys.push(key);
    }
    await this.#raise(AlertKind.DIGEST, () =>
      // Somebody else may have been first.
      outbox.state.piles.of(pile.receiver).includes(pile)
        ? [digestAlert(pile, { eventKeys, nowMs: now(), rate })]
        : [],
    );
    const { rule, receiver, deliveries } = pile;
    log.info({ rule, receiver, alerts: deliveries.length }, 'alerts above the rate in a digest');
  }

  /** One that still waits for every receiver says enough. */
  async #beat(nowMs: number): Promise<void> {
    const { heartbeatMs, outbox, receivers } = this.#options;
    if (heartbeatMs === 0 || nowMs - this.#lastBeatMs < heartbeatMs) return;
    this.#lastBeatMs = nowMs;
    await this.#raise(AlertKind.HEARTBEAT, () => {
      const waiting = new Set<string>();
      for (const receiver of receivers()) {
        for (const { alert } of outbox.index.lane(receiver)) {
          if (alert.kind === AlertKind.HEARTBEAT) waiting.add(receiver);
        }
      }
      const to = receivers().filter((receiver) => !waiting.has(receiver));
      return to.length > 0 ? [heartbeatAlert(to, nowMs)] : [];
    });
  }

  async #raise(kind: AlertKind, make: () => readonly RaisedAlert[]): Promise<void> {
    const { outbox, metrics } = this.#options;
    const raised = await outbox.raiseOwn(make);
    metrics.own.inc({ kind: AlertKind[kind].toLowerCase() }, raised.length);
  }
}
