import { backoffMs, type Backoff } from '@auditing/service/retry';
import { wait } from '@auditing/service/wait';
import type { Endpoint } from './endpoint';
import { alertsBody, endingAfter, type EndingAlert, type FiringAlert } from './firing-alert';
import type { Answer } from './receiver';

/** What one instance that is away is owed, at most: some ten thousand alerts. Beyond it, it gets all that fires once it is back. */
const OWED_MAX_BYTES = 8 * 1024 * 1024;
/** Requests to one instance that may be under way: the body of each is in memory until it is answered. */
const UNDER_WAY_MAX = 4;
/** How often an instance that is away is tried. */
const INSTANCE_BACKOFF: Backoff = { initialMs: 1_000, maxMs: 30_000 };

interface Owed {
  readonly alerts: readonly FiringAlert[];
  readonly bytes: number;
  /** After this moment the alerts are over, and another instance has told everybody. */
  readonly untilMs: number;
}

/** How an instance is kept up to date. */
export interface InstanceOptions {
  /** The prefix before the path of the API; empty if there is none. */
  readonly basePath: string;
  /** How long an alert lasts from when it is sent. */
  readonly holdMs: number;
  /** Told how many alerts it is owed no more, because it is owed too much; it then lacks alerts until it is settled. */
  readonly onOverflow: (alertCount: number) => void;
  /** Told of alerts that it refused and another instance took, and why. */
  readonly onRefusal: (alertCount: number, reason: string) => void;
}

/** One Alertmanager. While it is away it is owed what the others took, for as long as those alerts last. */
export class Instance {
  readonly endpoint: Endpoint;
  readonly basePath: string;
  readonly #path: string;
  readonly #holdMs: number;
  readonly #closing = new AbortController();
  #owed: Owed[] = [];
  #owedBytes = 0;
  #failures = 0;
  /** Requests without an answer yet. */
  #underWay = 0;
  #nextTryAtMs = 0;
  #repairing: Promise<void> | undefined;
  /** When it was started, as it said last; undefined until it did. */
  #startedAt: string | undefined;
  /** The start since when it has all our alerts; undefined until that is known. */
  #settledSince: string | undefined;
  #refusedCount = 0;
  readonly #onOverflow: InstanceOptions['onOverflow'];
  readonly #onRefusal: InstanceOptions['onRefusal'];

  constructor(endpoint: Endpoint, { basePath, holdMs, onOverflow, onRefusal }: InstanceOptions) {
    this.endpoint = endpoint;
    this.#onOverflow = onOverflow;
    this.#onRefusal = onRefusal;
    this.basePath = basePath;
    this.#path = `${basePath}/api/v2/alerts`;
    this.#holdMs = holdMs;
  }

  /** True while it answers more slowly than it is sent to: what another one takes, it gets behind. */
  get isBusy(): boolean {
    return this.#underWay >= UNDER_WAY_MAX;
  }

  /** False for a while after it failed. */
  get isAvailable(): boolean {
    return Date.now() >= this.#nextTryAtMs;
  }

  /** Alerts that others took and it has not had yet. */
  get owedCount(): number {
    return this.#owed.reduce((sum, { alerts }) => sum + alerts.length, 0);
  }

  /** Alerts that it refused and others took. */
  get refusedCount(): number {
    return this.#refusedCount;
  }

  /** Notes that it refused alerts that another instance took: nobody else will tell of it, for they count as delivered. */
  refused(alertCount: number, reason: string): void {
    this.#refusedCount += alertCount;
    this.#onRefusal(alertCount, reason);
  }

  /**
   * Asks since when it runs. True if it may lack alerts that others took: it was started anew, it was owed too much, or it was
   * found just now, by a service that was itself started anew and no longer knows what it was owed.
   */
  async mayLackAlerts(signal: AbortSignal): Promise<boolean> {
    this.#startedAt = startOf(await this.endpoint.get(`${this.basePath}/api/v2/status`, signal));
    return this.#startedAt !== undefined && this.#startedAt !== this.#settledSince;
  }

  /** It has all of them: nothing is sent again until it is started anew, or owed too much. */
  settle(): void {
    this.#settledSince = this.#startedAt;
  }

  /** Sends alerts now. */
  post(alerts: readonly FiringAlert[], signal: AbortSignal): Promise<Answer> {
    return this.resend(endingAfter(alerts, { sentAtMs: Date.now(), holdMs: this.#holdMs }), signal);
  }

  /** Sends alerts with the ends they have. */
  async resend(alerts: readonly EndingAlert[], signal: AbortSignal): Promise<Answer> {
    const body = alertsBody(alerts);
    this.#underWay += 1;
    const answer = await this.endpoint
      .post(this.#path, { body }, signal)
      .finally(() => (this.#underWay -= 1));
    this.#failures = answer.kind === 'retry' ? this.#failures + 1 : 0;
    this.#nextTryAtMs =
      answer.kind === 'retry'
        ? Date.now() +
          Math.max(answer.retryAfterMs ?? 0, backoffMs(this.#failures, INSTANCE_BACKOFF))
        : 0;
    return answer;
  }

  /** Sends alerts that another instance has taken, as soon as this one can take them. */
  postBehind(alerts: readonly FiringAlert[]): void {
    const bytes = JSON.stringify(alerts).length;
    this.#owed.push({ alerts, bytes, untilMs: Date.now() + this.#holdMs });
    this.#owedBytes += bytes;
    if (this.#owedBytes > OWED_MAX_BYTES) this.#overflow();
    this.#startRepair();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#repairing;
    await this.endpoint.close();
  }

  #startRepair(): void {
    this.#repairing ??= this.#repair().finally(() => {
      this.#repairing = undefined;
      // Something may have come since the last look.
      if (this.#owed.length > 0 && !this.#closing.signal.aborted) this.#startRepair();
    });
  }

  #overflow(): void {
    let count = 0;
    while (this.#owedBytes > OWED_MAX_BYTES) {
      count += this.#owed[0]?.alerts.length ?? 0;
      this.#drop();
    }
    // The start as well: a catch-up that is under way began without these, and must not settle it.
    this.#settledSince = undefined;
    this.#startedAt = undefined;
    this.#onOverflow(count);
  }

  async #repair(): Promise<void> {
    const { signal } = this.#closing;
    try {
      for (let [next] = this.#owed; next !== undefined; [next] = this.#owed) {
        if (Date.now() > next.untilMs) {
          this.#drop();
          continue;
        }
        await wait(Math.max(0, this.#nextTryAtMs - Date.now()), signal);
        const answer = await this.post(next.alerts, signal);
        // What it refuses it would refuse again.
        if (answer.kind === 'refused') this.refused(next.alerts.length, answer.reason);
        if (answer.kind !== 'retry' && this.#owed[0] === next) this.#drop();
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  #drop(): void {
    this.#owedBytes -= this.#owed.shift()?.bytes ?? 0;
  }
}

/** `uptime` of a status, which is the moment of its start. */
function startOf(text: string | undefined): string | undefined {
  try {
    const { uptime } = JSON.parse(text ?? '{}') as { uptime?: unknown };
    return typeof uptime === 'string' ? uptime : undefined;
  } catch {
    return undefined;
  }
}
