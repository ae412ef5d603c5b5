import { status } from '@grpc/grpc-js';
import type { AlertStatus } from '@auditing/proto/alert';
import { RpcError } from '@auditing/service/rpc-error';
import type { AlertEntry } from './alert-entry';
import { Bell } from './bell';

/** Changed alerts that one slow watcher may be behind by. Each counts once, however often it changed. */
const BEHIND_MAX = 10_000;
/** Nothing happens for this long: the wait begins anew. */
const IDLE_MS = 60_000;

/** Tells any number of watchers of changed alerts. */
export class AlertWatch {
  readonly #watchers = new Set<Watcher>();
  readonly #read: (alert: AlertEntry) => Promise<AlertStatus | undefined>;

  /** `read` gives an alert as it is now; undefined if it is forgotten meanwhile. */
  constructor(read: (alert: AlertEntry) => Promise<AlertStatus | undefined>) {
    this.#read = read;
  }

  /** An alert was raised, or its delivery changed. */
  tell(alert: AlertEntry): void {
    for (const watcher of this.#watchers) watcher.tell(alert);
  }

  /**
   * Alerts of a rule (empty: of any) as they change, until the signal aborts.
   *
   * @throws RpcError RESOURCE_EXHAUSTED if the reader is too slow.
   */
  async *watch(rule: string, signal: AbortSignal): AsyncGenerator<AlertStatus, void, undefined> {
    const watcher = new Watcher(rule);
    this.#watchers.add(watcher);
    try {
      while (!signal.aborted) {
        const alert = await watcher.next(signal);
        const found = await this.#read(alert);
        if (found) yield found;
      }
    } finally {
      this.#watchers.delete(watcher);
    }
  }
}

class Watcher {
  readonly #rule: string;
  readonly #bell = new Bell();
  /** In the order of their first change. */
  readonly #changed = new Set<AlertEntry>();
  #isTooSlow = false;

  constructor(rule: string) {
    this.#rule = rule;
  }

  tell(alert: AlertEntry): void {
    if (this.#isTooSlow || (this.#rule !== '' && alert.rule !== this.#rule)) return;
    this.#changed.add(alert);
    this.#isTooSlow = this.#changed.size > BEHIND_MAX;
    if (this.#isTooSlow) this.#changed.clear();
    this.#bell.ring();
  }

  async next(signal: AbortSignal): Promise<AlertEntry> {
    for (;;) {
      if (this.#isTooSlow) {
        throw new RpcError(
          status.RESOURCE_EXHAUSTED,
          `more than ${BEHIND_MAX} alerts changed before they were read: list them, then watch again`,
        );
      }
      const [alert] = this.#changed;
      if (alert !== undefined) {
        this.#changed.delete(alert);
        return alert;
      }
      await this.#bell.heard(IDLE_MS, signal);
    }
  }
}
