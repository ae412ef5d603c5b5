import { DeliveryState, type ReceiverStatus } from '@auditing/proto/alert';
import { Receiver as ReceiverSpec } from '@auditing/proto/rule';
import type { Backoff } from '@auditing/service/retry';
import { wait } from '@auditing/service/wait';
import type { Logger } from 'pino';
import type { AlertMetrics } from './alert-metrics';
import { runCourier } from './courier';
import { timestampOf } from './event-text';
import { runKeeper } from './keeper';
import type { Outbox } from './outbox';
import type { Silence } from './receivers/read-silences';
import type { Outgoing, Receiver, ReceiverOptions } from './receivers/receiver';
import { Silences } from './silences';

/** What a dispatcher works with. */
export interface DispatcherOptions {
  readonly outbox: Outbox;
  readonly metrics: AlertMetrics;
  readonly log: Logger;
  readonly maxAgeMs: number;
  /** How long alerts of a receiver that is gone wait for it to come back. */
  readonly goneGraceMs: number;
  readonly backoff: Backoff;
  readonly now: () => number;
  readonly receiver: ReceiverOptions;
  /** Whether what an Alertmanager silences is kept from receivers of other types. */
  readonly skipSilenced: boolean;
  /** Puts what waits for a digest to this receiver into one now. */
  readonly digestAll: (receiver: string) => Promise<void>;
}

/** One receiver at work, or one that is gone and whose alerts wait for it. */
interface Worker {
  /** The receiver as the resource has it; undefined for one that is gone. */
  readonly spec: ReceiverSpec | undefined;
  /** Why it cannot be used; empty if it can. */
  readonly problem: string;
  readonly receiver: Receiver | undefined;
  /** Why its last request failed; empty if it did not. */
  lastError: string;
  readonly stop: () => Promise<void>;
}

/** Has one courier for each receiver of the Webhook resource. */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #workers = new Map<string, Worker>();
  /** Changes are made one after the other. */
  #changes: Promise<void> = Promise.resolve();
  #isClosed = false;
  readonly #silences: Silences;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#silences = new Silences(options.receiver.text, options.now);
  }

  /**
   * Takes these receivers into use: starts new ones, restarts changed ones, leaves the others alone. Alerts of those that
   * are gone wait a while, for a resource is often removed to be made anew; then they are given up.
   */
  use(specs: readonly ReceiverSpec[]): void {
    this.#changes = this.#changes.then(() => this.#apply(specs));
  }

  /** The receiver of a name, as the resource has it; undefined if there is none. */
  spec(name: string): ReceiverSpec | undefined {
    return this.#workers.get(name)?.spec;
  }

  /** The open receiver of a name. */
  receiver(name: string): Receiver | undefined {
    return this.#workers.get(name)?.receiver;
  }

  /** All receivers, and how they fare. */
  status(): ReceiverStatus[] {
    const { index, piles } = this.#options.outbox.state;
    return [...this.#workers].map(([name, worker]) => {
      const lane = index.lanes.get(name);
      const digested = piles.of(name).flatMap(({ deliveries }) => deliveries);
      const oldestMs = Math.min(
        lane?.oldestMs ?? Infinity,
        digested[0]?.pendingSinceMs ?? Infinity,
      );
      return {
        name,
        type: worker.spec?.type ?? '',
        problem: worker.problem,
        lastError: worker.lastError,
        pendingCount: (lane?.size ?? 0) + digested.length,
        oldestPending: oldestMs === Infinity ? undefined : timestampOf(oldestMs),
        instances: worker.receiver?.instances?.() ?? [],
      };
    });
  }

  /** Stops all couriers; what was not taken stays in the outbox. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#changes;
    await Promise.all([...this.#workers.values()].map((worker) => worker.stop()));
  }

  async #apply(specs: readonly ReceiverSpec[]): Promise<void> {
    if (this.#isClosed) return;
    // Two of one name: the last one is in force, as it always was.
    const wanted = new Map(specs.map((spec) => [spec.name, spec]));
    for (const [name, spec] of wanted) {
      const worker = this.#workers.get(name);
      if (worker?.spec !== undefined && sameSpec(worker.spec, spec)) continue;
      await worker?.stop();
      this.#workers.set(name, await this.#start(spec));
    }
    const known = new Set([...this.#workers.keys(), ...this.#options.outbox.index.lanes.keys()]);
    for (const name of known) {
      if (wanted.has(name)) continue;
      const worker = this.#workers.get(name);
      if (worker !== undefined && worker.spec === undefined) continue;
      await worker?.stop();
      this.#workers.set(name, this.#waitForReturn(name));
    }
  }

  async #start(spec: ReceiverSpec): Promise<Worker> {
    const { name } = spec;
    const options = this.#options;
    const { receiver, problem } = await this.#open(spec);
    options.log.info({ receiver: name, type: spec.type }, 'receiver in use');
    const stopping = new AbortController();
    const { signal } = stopping;
    const onAnswer = (lastError: string): string => (worker.lastError = lastError);
    const { keeping } = receiver;
    // Alertmanager itself gets everything: it is what silences act on.
    const silencedBy =
      options.skipSilenced && keeping === undefined
        ? (outgoing: Outgoing): string[] => this.#silences.of(outgoing)
        : undefined;
    const courier = runCourier({ ...options, name, receiver, onAnswer, silencedBy }, signal);
    const onSilences = options.skipSilenced
      ? (silences: readonly Silence[]): void => this.#silences.read(name, silences)
      : undefined;
    const keeper = keeping && runKeeper({ ...options, name, keeping, onSilences }, signal);
    const worker: Worker = {
      spec,
      problem,
      receiver,
      lastError: problem,
      stop: async () => {
        stopping.abort();
        await Promise.all([courier, keeper]);
        this.#silences.forget(name);
        await receiver.close();
      },
    };
    return worker;
  }

  /**
   * A receiver that cannot be opened keeps its alerts until somebody mends the resource. What talks to receivers is loaded with
   * the first of them: its client for HTTP is a megabyte of code, an eighth of the time in which a process without any starts. If it cannot be loaded the process ends: its files are gone.
   */
  async #open(spec: ReceiverSpec): Promise<{ receiver: Receiver; problem: string }> {
    const { openReceiver } = await import('./receivers/receivers');
    try {
      return { receiver: openReceiver(spec, this.#options.receiver), problem: '' };
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#options.log.error({ receiver: spec.name, reason }, 'receiver cannot be used');
      const receiver = unusable(reason);
      return { receiver, problem: reason };
    }
  }

  #waitForReturn(name: string): Worker {
    const { goneGraceMs, log } = this.#options;
    log.info({ receiver: name, graceMs: goneGraceMs }, 'receiver is gone');
    const stopping = new AbortController();
    const done = wait(goneGraceMs, stopping.signal)
      .then(() => this.#giveUp(name, stopping.signal))
      .catch(() => undefined);
    return {
      spec: undefined,
      problem: '',
      receiver: undefined,
      lastError: '',
      async stop() {
        stopping.abort();
        await done;
      },
    };
  }

  async #giveUp(name: string, signal: AbortSignal): Promise<void> {
    const { outbox, metrics, log, digestAll } = this.#options;
    await digestAll(name);
    const left = [...outbox.index.lane(name)];
    const reason = 'the receiver was removed from the Webhook resource';
    await outbox.end(
      left.map((delivery) => ({ delivery, state: DeliveryState.DEAD, reason })),
      signal,
    );
    metrics.deliveries.inc({ receiver: name, outcome: 'dead' }, left.length);
    if (left.length > 0)
      log.warn({ receiver: name, alerts: left.length }, 'alerts of a removed receiver given up');
    outbox.index.dropLane(name);
    this.#workers.delete(name);
  }
}

/** Takes nothing, and says why. */
function unusable(reason: string): Receiver {
  return {
    batchMax: 1,
    concurrency: 1,
    send: () => Promise.resolve({ kind: 'retry', reason }),
    close: () => Promise.resolve(),
  };
}

function sameSpec(a: ReceiverSpec, b: ReceiverSpec): boolean {
  return Buffer.compare(ReceiverSpec.encode(a).finish(), ReceiverSpec.encode(b).finish()) === 0;
}
