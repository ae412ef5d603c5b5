import type { RaisedAlert } from '@auditing/proto/outbox';
import type { Outgoing } from './receivers/receiver';

/** An alert as it goes to one receiver, with the delivery id that was made when it was raised. */
export function deliveryOf(raised: RaisedAlert, receiver: string): Outgoing {
  const planned = raised.deliveries.find((one) => one.receiver === receiver);
  if (planned === undefined) throw new Error(`alert was not raised for receiver ${receiver}`);
  return { raised, deliveryId: planned.id.toString('hex') };
}
