import { setTimeout as sleep } from 'node:timers/promises';
import type { KubeClient } from './kube-client';
import { EXPIRED, errorOfStatus, hasCode, KubeError } from './kube-error';
import { keyOf, resourcePath, type KubeObject, type ResourceType } from './kube-object';

/** Objects of one answer; more come in pages. */
const PAGE_LIMIT = 500;
/** A watch is asked anew after this time, from where it was: a connection that died silently is blind no longer. */
const WATCH_SECONDS = 60;
/** Beyond the time that the server was told, before it is taken for dead. */
const WATCH_GRACE_MS = 5_000;
/** What a broken watch may have missed is found after this time at the latest. */
const RESYNC_EVERY_MS = 600_000;
/** Waits between tries: up to this, doubled at each further one. An API server that is back is found within seconds. */
const BACKOFF = { initialMs: 200, maxMs: 5_000 } as const;
/** A watch that ends sooner than this counts as a failure: asking at once again would be a storm. */
const SHORT_WATCH_MS = 1_000;

/** What an informer watches, and whom it tells. */
export interface InformerOptions {
  readonly client: KubeClient;
  readonly type: ResourceType;
  /** All namespaces if not given. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  /** Called with the key of each object that came, changed or went; never before the first list is whole. */
  readonly onChange?: (key: string) => void;
  /** Called when the API server ceases to answer, and when it answers again. */
  readonly onState?: (state: InformerState) => void;
}

/** Whether an informer hears of changes. */
export type InformerState =
  { readonly isUp: true } | { readonly isUp: false; readonly error: unknown };

/** A copy of all objects of one kind, kept up to date. */
export interface Informer<T extends KubeObject> {
  /** Every object, by key; empty before the first list. */
  readonly objects: () => ReadonlyMap<string, T>;
  /** Resolves when the first list is there; rejects if the informer ends before. */
  readonly synced: Promise<void>;
}

/**
 * Lists and watches until the signal aborts. A stream that breaks is resumed where it was; where the server has
 * forgotten that, all is listed anew, and only differences are told. It never gives up.
 */
export function informer<T extends KubeObject>(
  options: InformerOptions,
  signal: AbortSignal,
): Informer<T> {
  const running = new Running<T>(options);
  const synced = running.run(signal);
  // Whoever does not wait for it need not handle it either.
  synced.catch(() => undefined);
  return { objects: () => running.objects, synced };
}

interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: KubeObject;
}

interface ListAnswer<T> {
  readonly metadata: { readonly resourceVersion?: string; readonly continue?: string };
  readonly items?: readonly T[] | null;
}

class Running<T extends KubeObject> {
  objects = new Map<string, T>();
  #version: string | undefined;
  #listedAt = 0;
  #failureCount = 0;
  #isUp: boolean | undefined;

  constructor(private readonly options: InformerOptions) {}

  run(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const loop = async (): Promise<void> => {
        while (!signal.aborted) await this.#round(signal, resolve);
        reject(new KubeError(0, 'given up before the first list'));
      };
      void loop();
    });
  }

  /** One list if there is need of it, one watch, and a wait if something failed. */
  async #round(signal: AbortSignal, onSynced: () => void): Promise<void> {
    try {
      if (this.#version === undefined || Date.now() - this.#listedAt > RESYNC_EVERY_MS) {
        await this.#list(signal);
        onSynced();
      }
      await this.#watch(signal);
    } catch (error) {
      if (signal.aborted) return;
      // A history that is gone is no fault of the server; the first time it is listed at once.
      const isExpired = hasCode(error, EXPIRED);
      if (isExpired || !(error instanceof KubeError) || error.code !== 0) this.#version = undefined;
      if (!isExpired) this.#told({ isUp: false, error });
      await this.#pause(signal, isExpired && this.#failureCount === 0);
    }
  }

  async #pause(signal: AbortSignal, isFree: boolean): Promise<void> {
    this.#failureCount += 1;
    if (isFree) return;
    const limit = Math.min(BACKOFF.maxMs, BACKOFF.initialMs * 2 ** (this.#failureCount - 1));
    // Half of it by chance, so that many do not come at once.
    await sleep(limit / 2 + (Math.random() * limit) / 2, undefined, { signal }).catch(
      () => undefined,
    );
  }

  #told(state: InformerState): void {
    if (state.isUp === this.#isUp) return;
    this.#isUp = state.isUp;
    this.options.onState?.(state);
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { client, type, namespace, labelSelector } = this.options;
    const found = new Map<string, T>();
    let next: string | undefined;
    do {
      const page: ListAnswer<T> = await client.request({
        path: resourcePath(type, { namespace }),
        query: { limit: PAGE_LIMIT, continue: next, labelSelector },
        signal,
      });
      for (const object of page.items ?? []) found.set(keyOf(object), object);
      this.#version = page.metadata.resourceVersion ?? '';
      next = page.metadata.continue || undefined;
    } while (next !== undefined);
    this.#listedAt = Date.now();
    this.#told({ isUp: true });
    this.#replaceAll(found);
  }

  #replaceAll(found: Map<string, T>): void {
    const before = this.objects;
    this.objects = found;
    const changed = [...found].filter(([key, object]) => {
      const { resourceVersion } = object.metadata;
      return before.get(key)?.metadata.resourceVersion !== resourceVersion;
    });
    const gone = [...before.keys()].filter((key) => !found.has(key));
    for (const key of [...changed.map(([name]) => name), ...gone]) this.options.onChange?.(key);
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { client, type, namespace, labelSelector } = this.options;
    const begunAt = Date.now();
    const request = {
      path: resourcePath(type, { namespace }),
      query: {
        watch: true,
        allowWatchBookmarks: true,
        resourceVersion: this.#version,
        timeoutSeconds: WATCH_SECONDS,
        labelSelector,
      },
      signal,
    };
    const limitMs = WATCH_SECONDS * 1_000 + WATCH_GRACE_MS;
    for await (const event of client.lines<WatchEvent>(request, limitMs)) {
      this.#take(event, request.path);
      this.#told({ isUp: true });
      this.#failureCount = 0;
    }
    if (Date.now() - begunAt < SHORT_WATCH_MS) await this.#pause(signal, false);
    else this.#failureCount = 0;
  }

  #take({ type, object }: WatchEvent, where: string): void {
    if (type === 'ERROR') throw errorOfStatus(object, { code: 500, where: `watch of ${where}` });
    this.#version = object.metadata.resourceVersion ?? this.#version;
    if (type === 'BOOKMARK') return;
    const key = keyOf(object);
    if (type === 'DELETED') this.objects.delete(key);
    else this.objects.set(key, object as T);
    this.options.onChange?.(key);
  }
}
