import type { RaiseRequest } from '@auditing/proto/alert';
import { alertCount, alertsFrom } from './alerts-from';
import type { Guard } from './attempts';
import { bisect, type EventRange } from './bisect';
import type { Burial } from './burial';
import type { Consumer } from './drain';
import { keptBatch, type DecidedPart } from './kept-batch';
import type { Peer } from './peer';
import type { ProbeTrails } from './probe-trails';
import type { ServiceCalls } from './service-calls';

/** Batches on their way to one service: enough to keep it busy while earlier ones are synced there. */
const LIMITS = { count: 32, bytes: 16 * 2 ** 20 } as const;

/** What bringing a part to a service needs. */
interface ConsumerOptions {
  readonly peer: Peer;
  readonly burial: Burial;
  readonly guard: Guard;
}

/** Brings kept events to the archive. */
export function archiveConsumer(
  { append }: Pick<ServiceCalls, 'append'>,
  options: ConsumerOptions,
): Consumer {
  return {
    name: 'archive',
    limits: LIMITS,
    // What nobody did is no audit event.
    wants: ({ verdicts, probe }) => probe === '' && (verdicts?.verdicts.length ?? 0) > 0,
    deliver: ({ decided, settledBelow, traceParent }, signal) =>
      deliver(decided, options, {
        make: (range) => keptBatch(decided, range),
        send: (kept) => append({ call: 0, kept, settledBelow, traceParent }, signal),
        signal,
      }),
  };
}

/** Brings alerts to the alert service. */
export function alertConsumer(
  { raise }: Pick<ServiceCalls, 'raise'>,
  options: ConsumerOptions & { readonly probes: ProbeTrails },
): Consumer {
  return {
    name: 'alert',
    limits: LIMITS,
    wants: ({ verdicts }) => verdicts !== undefined && alertCount(verdicts) > 0,
    async deliver({ decided, settledBelow, traceParent }, signal) {
      await deliver(decided, options, {
        make: (range) => Promise.resolve(raiseRequest(decided, range)),
        send: (request) => raise({ ...request, settledBelow, traceParent }, signal),
        signal,
      });
      if (decided.part.probe !== '') options.probes.raised(decided.part.probe);
    },
  };
}

function raiseRequest(decided: DecidedPart, range: EventRange): RaiseRequest | undefined {
  const alerts = alertsFrom(decided, range);
  const { id } = decided.part.batch;
  if (alerts.length === 0 || !id) return undefined;
  const rangeId = { ...id, firstEvent: range.first, eventCount: range.count };
  const probe = decided.part.probe !== '';
  return { call: 0, id: rangeId, alerts, settledBelow: 0n, traceParent: '', probe };
}

/** How a range of a part is brought to a service. */
interface Sending<Message> {
  /** Undefined if there is nothing to send. */
  readonly make: (range: EventRange) => Promise<Message | undefined>;
  readonly send: (message: Message) => Promise<unknown>;
  readonly signal: AbortSignal;
}

async function deliver<Message>(
  { part, events }: DecidedPart,
  { peer, burial, guard }: ConsumerOptions,
  { make, send, signal }: Sending<Message>,
): Promise<void> {
  await bisect(
    { first: 0, count: events.length },
    {
      async attempt(range) {
        const risky = { kind: peer.name, position: part.position, range };
        let message: Message | undefined;
        // What cannot be made counts as refused: the event that is to blame must not hold up the others.
        const once = async (): Promise<void> => {
          message ??= await make(range);
          if (message !== undefined) await send(message);
        };
        await peer.call(() => guard(risky, once), signal);
      },
      async bury(index, cause) {
        const event = events[index];
        if (event) await burial.buryEvent(part, event, { service: peer.name, cause });
      },
    },
  );
}
