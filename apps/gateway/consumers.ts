import { alertCount, alertsFrom } from './alerts-from';
import { bisect, FinalError, type EventRange } from './bisect';
import type { Burial } from './burial';
import type { Consumer, Delivery } from './drain';
import { keptBatch } from './kept-batch';
import type { Peer } from './peer';
import type { ServiceCalls } from './service-calls';

/** Batches on their way to one service: enough to keep it busy while earlier ones are synced there. */
const LIMITS = { count: 32, bytes: 16 * 2 ** 20 } as const;

/** What bringing a part to a service needs. */
interface ConsumerOptions {
  readonly peer: Peer;
  readonly burial: Burial;
}

/** Brings kept events to the archive. */
export function archiveConsumer(
  { append }: Pick<ServiceCalls, 'append'>,
  options: ConsumerOptions,
): Consumer {
  return {
    name: 'archive',
    limits: LIMITS,
    wants: ({ verdicts }) => (verdicts?.verdicts.length ?? 0) > 0,
    deliver: (delivery, signal) =>
      deliver(delivery, options, async (range) => {
        const kept = await made(() => keptBatch(delivery.decided, range));
        if (!kept) return;
        const request = { call: 0, kept, settledBelow: delivery.settledBelow };
        await options.peer.call(() => append(request, signal), signal);
      }),
  };
}

/** Brings alerts to the alert service. */
export function alertConsumer(
  { raise }: Pick<ServiceCalls, 'raise'>,
  options: ConsumerOptions,
): Consumer {
  return {
    name: 'alert',
    limits: LIMITS,
    wants: ({ verdicts }) => verdicts !== undefined && alertCount(verdicts) > 0,
    deliver: (delivery, signal) =>
      deliver(delivery, options, async (range) => {
        const alerts = await made(() => alertsFrom(delivery.decided, range));
        const { id } = delivery.decided.part.batch;
        if (alerts.length === 0 || !id) return;
        const request = {
          call: 0,
          id: { ...id, firstEvent: range.first, eventCount: range.count },
          alerts,
          settledBelow: delivery.settledBelow,
        };
        await options.peer.call(() => raise(request, signal), signal);
      }),
  };
}

async function deliver(
  { decided }: Delivery,
  { peer, burial }: ConsumerOptions,
  attempt: (range: EventRange) => Promise<void>,
): Promise<void> {
  const { events, part } = decided;
  await bisect(
    { first: 0, count: events.length },
    {
      attempt,
      async bury(index, cause) {
        const event = events[index];
        if (event) await burial.buryEvent(part, event, { service: peer.name, cause });
      },
    },
  );
}

/** What cannot be made once can never be made: the event that is to blame must not hold up the others. */
async function made<T>(make: () => T | Promise<T>): Promise<T> {
  try {
    return await make();
  } catch (error) {
    throw new FinalError(error);
  }
}
