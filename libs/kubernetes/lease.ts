import { setTimeout as sleep } from 'node:timers/promises';
import type { KubeClient } from './kube-client';
import { CONFLICT, hasCode, NOT_FOUND } from './kube-error';
import { resourcePath, type KubeObject, type ResourceType } from './kube-object';

/** The Lease of a group of replicas, and who this one is. */
export interface LeaseOptions {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly name: string;
  /** Unique among the replicas, such as the name of the pod. */
  readonly identity: string;
  readonly times?: LeaseTimes;
  /** Told when this replica begins and ceases to lead. */
  readonly onLeading?: (isLeading: boolean) => void;
  /** Told of what went wrong with the Lease; it is tried again. */
  readonly onError?: (error: unknown) => void;
}

/** How long a lead lasts. */
export interface LeaseTimes {
  /** Others may lead when the Lease was not renewed for this long, by their own clock. */
  readonly durationMs: number;
  /** Whoever could not renew for this long stops leading; below `durationMs`, so that two never lead at once. */
  readonly renewDeadlineMs: number;
  /** Between two tries to get or to renew it. */
  readonly retryMs: number;
}

/** What Kubernetes' own controllers use. */
const USUAL_TIMES: LeaseTimes = { durationMs: 15_000, renewDeadlineMs: 10_000, retryMs: 2_000 };

const LEASES: ResourceType = {
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  plural: 'leases',
};

interface Lease extends KubeObject {
  readonly spec?: {
    readonly holderIdentity?: string;
    readonly leaseDurationSeconds?: number;
    readonly acquireTime?: string;
    readonly renewTime?: string;
    readonly leaseTransitions?: number;
  };
}

/**
 * Runs the work while this replica holds the Lease, again and again, until the signal aborts; then gives the Lease up,
 * so that another replica leads at once. The signal of the work aborts when the Lease is lost; the work must end then.
 */
export async function whileLeading(
  options: LeaseOptions,
  work: (signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const holder = new Holder(options);
  while (!signal.aborted) {
    if (!(await holder.tryToHold(signal))) {
      await pause(holder.times.retryMs, signal);
      continue;
    }
    options.onLeading?.(true);
    try {
      await leadOnce(holder, work, signal);
    } finally {
      options.onLeading?.(false);
    }
  }
  await holder.giveUp();
}

async function leadOnce(
  holder: Holder,
  work: (signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const lead = new AbortController();
  const onAbort = (): void => lead.abort();
  signal.addEventListener('abort', onAbort);
  if (signal.aborted) onAbort();
  try {
    await Promise.all([
      work(lead.signal).finally(onAbort),
      holder.renew(lead.signal).finally(onAbort),
    ]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

class Holder {
  readonly times: LeaseTimes;
  /** The Lease as it was last seen to change, by this process's clock: clocks of others prove nothing. */
  #seen: { readonly version: string; readonly at: number } | undefined;
  #held: Lease | undefined;

  constructor(private readonly options: LeaseOptions) {
    this.times = options.times ?? USUAL_TIMES;
  }

  /** Whether this replica holds the Lease now. Never rejects. */
  async tryToHold(signal: AbortSignal): Promise<boolean> {
    try {
      return await this.#hold(signal);
    } catch (error) {
      // Another one was quicker.
      if (!hasCode(error, CONFLICT) && !signal.aborted) this.options.onError?.(error);
      return false;
    }
  }

  /** Renews until the signal aborts, or until that did not succeed for too long or somebody else holds it. */
  async renew(signal: AbortSignal): Promise<void> {
    let renewedAt = performance.now();
    for (;;) {
      await pause(this.times.retryMs, signal);
      if (signal.aborted) return;
      const begunAt = performance.now();
      const deadline = new AbortController();
      const leftMs = Math.max(0, this.times.renewDeadlineMs - (begunAt - renewedAt));
      const timer = setTimeout(() => deadline.abort(), leftMs);
      const isHeld = await this.tryToHold(deadline.signal);
      clearTimeout(timer);
      if (isHeld) renewedAt = begunAt;
      else if (this.#held === undefined) return;
      else if (performance.now() - renewedAt >= this.times.renewDeadlineMs) return;
    }
  }

  /** Leaves the Lease to others; if that fails they wait until it has run out. */
  async giveUp(): Promise<void> {
    const held = this.#held;
    if (!held) return;
    this.#held = undefined;
    const left: Lease = { ...held, spec: { ...held.spec, holderIdentity: '' } };
    await this.#write(left, AbortSignal.timeout(this.times.retryMs)).catch((error: unknown) => {
      if (!hasCode(error, CONFLICT)) this.options.onError?.(error);
    });
  }

  async #hold(signal: AbortSignal): Promise<boolean> {
    const lease = await this.#read(signal);
    const holder = lease?.spec?.holderIdentity ?? '';
    const { identity } = this.options;
    if (holder !== '' && holder !== identity && !this.#isRunOut(lease)) {
      this.#held = undefined;
      return false;
    }
    const now = new Date().toISOString().replace('Z', '000Z');
    const isNew = holder !== identity;
    const transitions = lease?.spec?.leaseTransitions ?? 0;
    this.#held = await this.#write(
      {
        metadata: lease?.metadata ?? { name: this.options.name, namespace: this.options.namespace },
        spec: {
          ...lease?.spec,
          holderIdentity: identity,
          leaseDurationSeconds: Math.max(1, Math.round(this.times.durationMs / 1_000)),
          renewTime: now,
          ...(isNew && { acquireTime: now, leaseTransitions: transitions + (lease ? 1 : 0) }),
        },
      },
      signal,
    );
    return true;
  }

  #isRunOut(lease: Lease | undefined): boolean {
    const version = lease?.metadata.resourceVersion ?? '';
    if (this.#seen?.version !== version) this.#seen = { version, at: performance.now() };
    return performance.now() - this.#seen.at > this.times.durationMs;
  }

  async #read(signal: AbortSignal): Promise<Lease | undefined> {
    const { client, namespace, name } = this.options;
    try {
      return await client.request<Lease>({
        path: resourcePath(LEASES, { namespace, name }),
        signal,
      });
    } catch (error) {
      if (hasCode(error, NOT_FOUND)) return undefined;
      throw error;
    }
  }

  /** Made, or replaced if nobody else has changed it since it was read. */
  #write(lease: Lease, signal: AbortSignal): Promise<Lease> {
    const { client, namespace, name } = this.options;
    const isThere = lease.metadata.resourceVersion !== undefined;
    return client.request<Lease>({
      method: isThere ? 'PUT' : 'POST',
      path: resourcePath(LEASES, { namespace, ...(isThere && { name }) }),
      body: { apiVersion: LEASES.apiVersion, kind: LEASES.kind, ...lease },
      signal,
    });
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}
