import { createHash, randomUUID } from 'node:crypto';
import { decodeBody } from '@auditing/audit-event/decode-body';
import {
  AlertKind,
  DeliveryState,
  ListRequest,
  type AlertServiceService,
  type AlertStatus,
  type Delivery,
} from '@auditing/proto/alert';
import type { Timestamp } from '@auditing/proto/timestamp';
import type { Api } from '@auditing/service/rpc';
import { cancelled, wait } from '@auditing/service/wait';
import type { PeerName } from './peer';
import type { ProbeTrail, ProbeTrails } from './probe-trails';
import type { Spool } from './spool';

/** Who makes the event of a probe, for the rule of probes: no user of a cluster has this name. */
const PROBE_USER = 'system:auditing:probe';
/** Between two looks at the deliveries. */
const LOOK_MS = 50;

/** What a probe works with. */
export interface ProbeOptions {
  readonly spool: Pick<Spool, 'put'>;
  readonly trails: ProbeTrails;
  /** Why the last call of a service failed; undefined while calls succeed. */
  readonly failureOf: (peer: PeerName) => unknown;
  readonly alert: Pick<Api<typeof AlertServiceService>, 'list' | 'get'>;
}

/** A step of the way from the gateway to a receiver. */
export interface ProbeHop {
  readonly hop: 'received' | 'decided' | 'raised' | 'accepted';
  readonly ok: boolean;
  /** What came of it, or why it was not reached. */
  readonly detail: string;
  /** When it was reached; undefined if it was not. */
  readonly atMs: number | undefined;
  /** Of `accepted`: the receiver, and the instance of it that took the alert first. */
  readonly receiver?: string;
  readonly instance?: string;
}

/** How far a probe got. */
export interface ProbeResult {
  /** Names the probe: the audit id of its event, and the label `name` of its alert. */
  readonly marker: string;
  /** True if every receiver took its alert, and there is one. */
  readonly delivered: boolean;
  /** In the order of the way; the first that was not reached is the last one. */
  readonly hops: readonly ProbeHop[];
  readonly alert: AlertStatus | undefined;
}

/**
 * Sends a marked event the way of every event, from the decoding of its body on, and watches it: spool, rules, alert,
 * receivers. What was not reached when the time is over goes on, and is looked for in vain no longer. It is never
 * archived. Rejects with CANCELLED when the signal aborts.
 */
export async function probe(
  options: ProbeOptions,
  waitMs: number,
  signal: AbortSignal,
): Promise<ProbeResult> {
  const marker = `probe-${randomUUID()}`;
  const trail = options.trails.begin(marker);
  const over = AbortSignal.any([signal, AbortSignal.timeout(waitMs)]);
  const walk = new Walk(options, { marker, waitMs });
  try {
    await walk.go(trail, over);
  } catch (error) {
    if (!over.aborted) throw error;
  } finally {
    trail.end();
  }
  if (signal.aborted) throw cancelled();
  return walk.result();
}

class Walk {
  readonly #options: ProbeOptions;
  readonly #of: { readonly marker: string; readonly waitMs: number };
  readonly #hops: ProbeHop[] = [];
  #alert: AlertStatus | undefined;
  /** Why the alert service could not be asked the last time. */
  #unseen = 'it lists none';

  constructor(options: ProbeOptions, of: { readonly marker: string; readonly waitMs: number }) {
    this.#options = options;
    this.#of = of;
  }

  /** Rejects at the first step that was not reached when the signal aborts. */
  async go(trail: ProbeTrail, signal: AbortSignal): Promise<void> {
    if (!(await this.#receive())) return;
    const decided = await trail.decided(signal);
    const ok = decided.alertCount > 0;
    const set = `rule set ${decided.ruleSetVersion.slice(0, 12)}`;
    this.#reached('decided', {
      ok,
      atMs: decided.atMs,
      detail: ok
        ? `the rule of probes found it, beside ${set}`
        : `the rule service, with ${set}, knows no probes: it is of an older release`,
    });
    if (!ok) return;
    const { atMs } = await trail.raised(signal);
    this.#reached('raised', { ok: true, atMs, detail: 'on disk in the outbox' });
    for (;;) {
      this.#alert = await this.#look(signal);
      if (this.#alert && !this.#alert.deliveries.some(isPending)) return;
      await wait(LOOK_MS, signal);
    }
  }

  result(): ProbeResult {
    const { marker } = this.#of;
    const deliveries = this.#alert?.deliveries ?? [];
    const isRaised = this.#hops.some(({ hop }) => hop === 'raised');
    const accepted = isRaised ? this.#accepted(deliveries) : [];
    const delivered = deliveries.length > 0 && accepted.every(({ ok }) => ok);
    return { marker, delivered, hops: [...this.#all(), ...accepted], alert: this.#alert };
  }

  async #receive(): Promise<boolean> {
    const atMs = Date.now();
    try {
      const { marker } = this.#of;
      const body = probeBody(marker, atMs);
      await this.#options.spool.put(await decodeBody(body), {
        receivedAtUs: atMs * 1_000,
        bodyHash: createHash('sha256').update(body).digest(),
        probe: marker,
      });
    } catch (error) {
      const detail = messageOf(error);
      this.#hops.push({ hop: 'received', ok: false, atMs: undefined, detail });
      return false;
    }
    this.#reached('received', { ok: true, atMs: Date.now(), detail: 'on disk in the spool' });
    return true;
  }

  #reached(hop: ProbeHop['hop'], how: Pick<ProbeHop, 'ok' | 'atMs' | 'detail'>): void {
    this.#hops.push({ hop, ...how });
  }

  /** The steps so far, and the one that was not reached. */
  #all(): ProbeHop[] {
    const last = this.#hops.at(-1);
    if (last?.ok !== true || last.hop === 'raised') return this.#hops;
    const [hop, peer] =
      last.hop === 'received' ? (['decided', 'rule'] as const) : (['raised', 'alert'] as const);
    const failure = this.#options.failureOf(peer);
    const why =
      failure === undefined
        ? 'what came before it is still on its way'
        : `the ${peer} service fails: ${messageOf(failure)}`;
    const detail = `not within ${this.#of.waitMs} ms; ${why}`;
    return [...this.#hops, { hop, ok: false, atMs: undefined, detail }];
  }

  #accepted(deliveries: readonly Delivery[]): ProbeHop[] {
    if (this.#alert === undefined) {
      const detail = `the alert service took the alert and does not show it: ${this.#unseen}`;
      return [{ hop: 'accepted', ok: false, atMs: undefined, detail }];
    }
    if (deliveries.length === 0) {
      const detail = 'no receiver is configured: alerts are kept and listed, and sent nowhere';
      return [{ hop: 'accepted', ok: false, atMs: undefined, detail }];
    }
    return deliveries.map((delivery) => acceptedHop(delivery, this.#of.waitMs));
  }

  async #look(signal: AbortSignal): Promise<AlertStatus | undefined> {
    const { alert } = this.#options;
    const known = this.#alert;
    const { marker: name } = this.#of;
    try {
      if (known) return await alert.get({ id: known.id }, signal);
      const asked = ListRequest.create({ kinds: [AlertKind.PROBE], name, limit: 1 });
      return (await alert.list(asked, signal)).alerts[0];
    } catch (error) {
      // It is asked again: this is a question about the way, not the way.
      this.#unseen = messageOf(error);
      return known;
    }
  }
}

function acceptedHop(delivery: Delivery, waitMs: number): ProbeHop {
  const { receiver, state, lastError, deliveredAt, acceptedBy, attemptCount } = delivery;
  const hop = { hop: 'accepted', receiver } as const;
  const tries = attemptCount === 1 ? '1 try' : `${attemptCount} tries`;
  switch (state) {
    case DeliveryState.DELIVERED:
      return { ...hop, ok: true, instance: acceptedBy, atMs: millisOf(deliveredAt), detail: tries };
    case DeliveryState.PENDING: {
      const why = lastError === '' ? '' : `; last: ${lastError}`;
      const detail = `not within ${waitMs} ms, it is tried again; ${tries} so far${why}`;
      return { ...hop, ok: false, atMs: undefined, detail };
    }
    default:
      return { ...hop, ok: false, atMs: undefined, detail: lastError };
  }
}

/** The body of one event, as kube-apiserver writes it. */
function probeBody(marker: string, atMs: number): Buffer {
  const at = new Date(atMs).toISOString();
  const event = {
    kind: 'Event',
    apiVersion: 'audit.k8s.io/v1',
    level: 'Metadata',
    auditID: marker,
    stage: 'ResponseComplete',
    requestURI: `/probes/${marker}`,
    verb: 'probe',
    user: { username: PROBE_USER },
    objectRef: { resource: 'probes', name: marker },
    requestReceivedTimestamp: at,
    stageTimestamp: at,
  };
  return Buffer.from(JSON.stringify(event));
}

function isPending({ state }: Delivery): boolean {
  return state === DeliveryState.PENDING;
}

function millisOf(at: Timestamp | undefined): number | undefined {
  return at && Number(at.seconds) * 1_000 + at.nanos / 1e6;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
