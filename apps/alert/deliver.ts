import type { Answer } from './receivers/receiver';

/** What became of one item of a batch. */
export interface ItemAnswer<Item> {
  readonly item: Item;
  readonly answer: Answer;
}

/**
 * Sends a batch. If it is refused it is sent again by halves until the item that cannot be taken stands alone. Once a
 * half has to wait, the rest of the batch waits with it.
 */
export async function deliver<Item>(
  batch: readonly Item[],
  send: (batch: readonly Item[]) => Promise<Answer>,
): Promise<ItemAnswer<Item>[]> {
  const answer = await send(batch);
  if (answer.kind !== 'refused' || batch.length <= 1)
    return batch.map((item) => ({ item, answer }));
  const middle = Math.ceil(batch.length / 2);
  const first = await deliver(batch.slice(0, middle), send);
  const waits = first.find((one) => one.answer.kind === 'retry');
  const rest = batch.slice(middle);
  if (waits) return [...first, ...rest.map((item) => ({ item, answer: waits.answer }))];
  return [...first, ...(await deliver(rest, send))];
}
