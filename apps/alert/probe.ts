import { randomUUID } from 'node:crypto';
import { status } from '@grpc/grpc-js';
import { DeliveryState, type ProbeRequest, type ProbeResponse } from '@auditing/proto/alert';
import { RpcError } from '@auditing/service/rpc-error';
import { wait } from '@auditing/service/wait';
import { isPendingAlert, type AlertEntry } from './alert-entry';
import { readStatus } from './alert-status';
import type { Dispatcher } from './dispatcher';
import type { Outbox } from './outbox';
import { probeAlert } from './own-alerts';

const WAIT_DEFAULT_MS = 10_000;
const WAIT_MAX_MS = 60_000;
/** Between two looks at how far it is. */
const LOOK_MS = 50;

/** What a probe works with. */
export interface ProbeOptions {
  readonly outbox: Outbox;
  readonly dispatcher: Dispatcher;
  readonly receivers: () => readonly string[] | undefined;
  readonly now: () => number;
}

/** Raises a marked alert and watches it until each receiver has taken or refused it, or the time is over. */
export async function probe(
  options: ProbeOptions,
  request: ProbeRequest,
  signal: AbortSignal,
): Promise<ProbeResponse> {
  const { outbox, dispatcher, now } = options;
  if (request.waitMs > WAIT_MAX_MS) {
    throw new RpcError(
      status.INVALID_ARGUMENT,
      `wait_ms: expected at most ${WAIT_MAX_MS}, got ${request.waitMs}`,
    );
  }
  const receivers = chosen(options, request.receiver);
  const marker = `probe-${randomUUID()}`;
  const [alert] = await outbox.raiseOwn(() => [probeAlert(marker, { receivers, nowMs: now() })]);
  if (alert === undefined) throw new Error('probe: the outbox gave no alert');
  const untilMs = now() + (request.waitMs || WAIT_DEFAULT_MS);
  while (isPendingAlert(alert) && now() < untilMs) await wait(LOOK_MS, signal);
  const seenAt: string[] = [];
  for (const receiver of takenBy(alert)) {
    if (await isSeen(dispatcher, { receiver, marker }, signal)) seenAt.push(receiver);
  }
  return {
    alert: await readStatus(outbox, alert),
    delivered: takenBy(alert).length === alert.deliveries.length && receivers.length > 0,
    seenAt,
  };
}

function chosen({ receivers }: ProbeOptions, name: string): readonly string[] {
  const known = receivers();
  if (known === undefined) {
    throw new RpcError(status.UNAVAILABLE, 'the receivers are not known yet; ask again');
  }
  if (name === '') return known;
  if (known.includes(name)) return [name];
  throw new RpcError(
    status.NOT_FOUND,
    `receiver: expected one of ${known.join(', ') || 'none that is configured'}, got ${JSON.stringify(name)}`,
  );
}

function takenBy(alert: AlertEntry): string[] {
  const taken = alert.deliveries.filter(({ state }) => state === DeliveryState.DELIVERED);
  return taken.map(({ receiver }) => receiver);
}

async function isSeen(
  dispatcher: Dispatcher,
  { receiver, marker }: { readonly receiver: string; readonly marker: string },
  signal: AbortSignal,
): Promise<boolean> {
  const keeping = dispatcher.receiver(receiver)?.keeping;
  const shown = await keeping?.shown({ name: marker }, signal);
  return shown !== undefined && shown.length > 0;
}
