import { discover, type Place } from './discovery';
import { openEndpoint, type Endpoint } from './endpoint';
import type { ReceiverInstance } from '@auditing/proto/alert';
import type { ReadAccess } from './access';
import type { EndingAlert, FiringAlert } from './firing-alert';
import { readSilences, type Silence } from './read-silences';
import { readShown, type ShownAlert } from './shown-alert';
import { firstTaken, orAborted } from './first-taken';
import { Instance } from './instance';
import type { Answer, ReceiverOptions } from './receiver';

/** How long a list of instances is used: what DNS gives changes when a pod is replaced. */
const DISCOVERY_AGE_MS = 30_000;
/** Alerts go out one request after the other, while an older one may still be repaired. */
const CONNECTIONS = 2;
/** Between two lines of log of one instance that say the same: each further alert of a flood would write one. */
const SAME_LOG_MS = 60_000;

/** How instances are reached. */
export interface InstanceSetOptions extends ReceiverOptions {
  /** Name of the receiver. */
  readonly name: string;
  readonly caBundle: Buffer;
  readonly access: ReadAccess;
}

/** All instances of one Alertmanager. */
export interface InstanceSet {
  /** Sends alerts to every instance. Taken when one took them; the others get theirs behind. */
  readonly post: (alerts: readonly FiringAlert[], signal: AbortSignal) => Promise<Answer>;
  /** Instances that may lack alerts, until they are settled. */
  readonly lacking: (signal: AbortSignal) => Promise<readonly Instance[]>;
  /** Sends alerts again with the ends they have, to one instance or to all that are not away. True if each took them. */
  readonly resend: (
    alerts: readonly EndingAlert[],
    instance: Instance | undefined,
    signal: AbortSignal,
  ) => Promise<boolean>;
  /** Alerts with these labels, as the first instance that answers shows them; undefined if none does. */
  readonly shown: (
    filter: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ) => Promise<readonly ShownAlert[] | undefined>;
  /** The silences in force, as the first instance that answers has them: they share them. */
  readonly silences: (signal: AbortSignal) => Promise<readonly Silence[] | undefined>;
  readonly status: () => ReceiverInstance[];
  /** Where the instances are, found anew. */
  readonly places: (signal: AbortSignal) => Promise<readonly Place[]>;
  readonly close: () => Promise<void>;
}

/** Opens the instances at these urls and those that are found from them. */
export function instanceSet(urls: readonly URL[], options: InstanceSetOptions): InstanceSet {
  const set = new Instances(urls, options);
  return {
    post: (alerts, signal) => set.post(alerts, signal),
    lacking: (signal) => set.lacking(signal),
    resend: (alerts, instance, signal) => set.resend(alerts, instance, signal),
    shown: (filter, signal) => set.shown(filter, signal),
    silences: (signal) => set.silences(signal),
    status: () => set.status(),
    places: (signal) => set.places(signal),
    close: () => set.close(),
  };
}

class Instances {
  readonly #urls: readonly URL[];
  readonly #options: InstanceSetOptions;
  readonly #closing = new AbortController();
  #instances = new Map<string, Instance>();
  #discoveredAtMs = -Infinity;
  #discovering: Promise<void> | undefined;

  constructor(urls: readonly URL[], options: InstanceSetOptions) {
    this.#urls = urls;
    this.#options = options;
    // Opened here, so that a wrong caBundle is found when the receiver is opened.
    this.#use(urls.map((url) => ({ url })));
  }

  async post(alerts: readonly FiringAlert[], signal: AbortSignal): Promise<Answer> {
    await this.#refresh(signal);
    const all = [...this.#instances.values()];
    const available = all.filter((one) => one.isAvailable);
    // If all are away, whoever asks has waited long enough: all are tried.
    const free = available.filter((one) => !one.isBusy);
    const asked = free.length > 0 ? free : available.length > 0 ? available : all;
    const attempts = asked.map((instance) => ({ instance, answer: instance.post(alerts, signal) }));
    const answer = await firstTaken(attempts.map((one) => one.answer));
    if (answer.kind !== 'taken') return answer;
    for (const instance of all) if (!asked.includes(instance)) instance.postBehind(alerts);
    for (const attempt of attempts) {
      void attempt.answer.then(
        (other) => {
          if (other.kind === 'retry') attempt.instance.postBehind(alerts);
          if (other.kind === 'refused') attempt.instance.refused(alerts.length, other.reason);
        },
        () => undefined,
      );
    }
    return answer;
  }

  async lacking(signal: AbortSignal): Promise<readonly Instance[]> {
    await this.#refresh(signal);
    const all = [...this.#instances.values()];
    const are = await Promise.all(all.map((one) => one.mayLackAlerts(signal)));
    return all.filter((_, place) => are[place]);
  }

  async resend(
    alerts: readonly EndingAlert[],
    instance: Instance | undefined,
    signal: AbortSignal,
  ): Promise<boolean> {
    const all = instance ? [instance] : [...this.#instances.values()];
    const available = all.filter((one) => one.isAvailable);
    const answers = await Promise.all(available.map((one) => one.resend(alerts, signal)));
    // What it refuses it would refuse again.
    return available.length === all.length && answers.every(({ kind }) => kind !== 'retry');
  }

  async shown(
    filter: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<readonly ShownAlert[] | undefined> {
    return this.#first(
      ({ endpoint, basePath }) => readShown(endpoint, { basePath, filter }, signal),
      signal,
    );
  }

  silences(signal: AbortSignal): Promise<readonly Silence[] | undefined> {
    return this.#first(
      ({ endpoint, basePath }) => readSilences(endpoint, basePath, signal),
      signal,
    );
  }

  /** What the first instance answers that does. */
  async #first<T>(
    ask: (instance: Instance) => Promise<T | undefined>,
    signal: AbortSignal,
  ): Promise<T | undefined> {
    await this.#refresh(signal);
    for (const instance of this.#instances.values()) {
      const found = await ask(instance);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  async places(signal: AbortSignal): Promise<readonly Place[]> {
    const discovering = discover(this.#urls, (place, path) => this.#ask(place, path));
    return orAborted(discovering, signal);
  }

  status(): ReceiverInstance[] {
    return [...this.#instances.values()].map((one) => ({
      address: one.endpoint.name,
      available: one.isAvailable,
      owedCount: one.owedCount,
      refusedCount: one.refusedCount,
    }));
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#discovering;
    await Promise.all([...this.#instances.values()].map((one) => one.close()));
  }

  /** Waits for the first list of instances only: a later one is fetched while alerts go out by the one before. */
  async #refresh(signal: AbortSignal): Promise<void> {
    const isFirst = this.#discoveredAtMs === -Infinity;
    if (Date.now() - this.#discoveredAtMs > DISCOVERY_AGE_MS) {
      this.#discovering ??= this.#discover().finally(() => (this.#discovering = undefined));
    }
    if (isFirst && this.#discovering) await orAborted(this.#discovering, signal);
  }

  async #discover(): Promise<void> {
    const places = await discover(this.#urls, (place, path) => this.#ask(place, path));
    this.#discoveredAtMs = Date.now();
    if (!this.#closing.signal.aborted) this.#use(places);
  }

  async #ask(place: Place, path: string): Promise<string | undefined> {
    const known = this.#instances.get(keyOf(place))?.endpoint;
    const endpoint = known ?? this.#open(place);
    const text = await endpoint.get(`${basePathOf(place.url)}${path}`, this.#closing.signal);
    if (known === undefined) await endpoint.close();
    return text;
  }

  /** Keeps the instances that are still there, opens new ones, closes those that are gone. */
  #use(places: readonly Place[]): void {
    const before = this.#instances;
    this.#instances = new Map(
      places.map((place) => [keyOf(place), before.get(keyOf(place)) ?? this.#instance(place)]),
    );
    for (const [key, instance] of before) {
      if (!this.#instances.has(key)) void instance.close();
    }
    if (before.size > 0 && !sameKeys(before, this.#instances)) {
      const names = [...this.#instances.values()].map(({ endpoint }) => endpoint.name);
      this.#options.log.info({ receiver: this.#options.name, instances: names }, 'instances found');
    }
  }

  #instance(place: Place): Instance {
    const { name, holdMs, log, onOverflow } = this.#options;
    const endpoint = this.#open(place);
    const about = { receiver: name, instance: endpoint.name };
    const logOverflow = seldom((alerts: number) =>
      log.warn(
        { ...about, alerts },
        'instance is away for too many alerts: once it is back it gets all that still fire',
      ),
    );
    const logRefusal = seldom((alerts: number, reason: string) =>
      log.warn({ ...about, alerts, reason }, 'instance refuses alerts that another one took'),
    );
    return new Instance(endpoint, {
      basePath: basePathOf(place.url),
      holdMs,
      onOverflow(alerts) {
        onOverflow(name, alerts);
        logOverflow(alerts);
      },
      onRefusal: logRefusal,
    });
  }

  #open({ url, address }: Place): Endpoint {
    const { caBundle, access, blocked, tryTimeoutMs } = this.#options;
    const where = address === undefined ? { url } : { url, address };
    const how = { caBundle, access, blocked, tryTimeoutMs, connections: CONNECTIONS };
    return openEndpoint({ ...where, ...how });
  }
}

/** Does something, but not again before some time has passed. */
function seldom<Args extends unknown[]>(work: (...args: Args) => void): (...args: Args) => void {
  let doneAtMs = -Infinity;
  return (...args) => {
    if (Date.now() - doneAtMs < SAME_LOG_MS) return;
    doneAtMs = Date.now();
    work(...args);
  };
}

function keyOf({ url, address }: Place): string {
  return `${url.href} ${address ?? ''}`;
}

/** The prefix before the path of the API. */
export function basePathOf(url: URL): string {
  return url.pathname === '/' ? '' : url.pathname;
}

function sameKeys(a: ReadonlyMap<string, unknown>, b: ReadonlyMap<string, unknown>): boolean {
  return a.size === b.size && [...a.keys()].every((key) => b.has(key));
}
