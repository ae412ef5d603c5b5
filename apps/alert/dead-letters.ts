import { status } from '@grpc/grpc-js';
import { DeliveryState, type DeadLetterSelection } from '@auditing/proto/alert';
import { RpcError } from '@auditing/service/rpc-error';
import type { DeliveryEntry } from './alert-entry';
import { deliveryId } from './alert-ids';
import type { Outbox } from './outbox';

/** Deliveries whose new state is written down together. */
const TOGETHER_MAX = 1_000;

/**
 * Has deliveries that were given up sent anew, or deletes them. Gives how many.
 *
 * @throws RpcError INVALID_ARGUMENT if nothing is named.
 */
export async function reviveDeadLetters(
  outbox: Outbox,
  selection: DeadLetterSelection | undefined,
  state: DeliveryState.PENDING | DeliveryState.DISCARDED,
): Promise<number> {
  const { ids = [], receiver = '' } = selection ?? {};
  if (ids.length === 0 && receiver === '') {
    throw new RpcError(
      status.INVALID_ARGUMENT,
      'selection: expected delivery ids, or the name of a receiver; got neither',
    );
  }
  const wanted = deadDeliveries(outbox, new Set(ids), receiver);
  let count = 0;
  for (let at = 0; at < wanted.length; at += TOGETHER_MAX) {
    count += await outbox.revive(wanted.slice(at, at + TOGETHER_MAX), state);
  }
  return count;
}

/** A member of a digest goes with its digest. */
function deadDeliveries(
  outbox: Outbox,
  ids: ReadonlySet<string>,
  receiver: string,
): DeliveryEntry[] {
  const found = new Set<DeliveryEntry>();
  for (const alert of outbox.index.all()) {
    for (const delivery of alert.deliveries) {
      if (delivery.state !== DeliveryState.DEAD) continue;
      const id = deliveryId(Buffer.from(alert.id, 'latin1'), delivery.receiver).toString('hex');
      if (delivery.receiver === receiver || ids.has(id)) found.add(delivery.digest ?? delivery);
    }
  }
  return [...found];
}
