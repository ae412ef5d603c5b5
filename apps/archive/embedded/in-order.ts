/**
 * Works on items and gives the outcomes in their order: first one at a time, then one more with each outcome, up to
 * `atOnce`, so that a reader whom few satisfy has little done in vain. When the reader stops, or one piece of work fails,
 * nothing more is begun, and what is under way is let finish unheard. When the items end with an error, it comes after the
 * outcomes of those before.
 */
export async function* inOrder<Item, Outcome>(
  items: AsyncIterable<Item>,
  atOnce: number,
  work: (item: Item) => Promise<Outcome>,
): AsyncIterable<Outcome> {
  const iterator = items[Symbol.asyncIterator]();
  const working: Promise<Outcome>[] = [];
  let room = 1;
  let failure: { readonly error: unknown } | undefined;
  try {
    for (let isMore = true; isMore || working.length > 0;) {
      if (!isMore || working.length === room) {
        room = Math.min(room + 1, atOnce);
        yield await (working.shift() as Promise<Outcome>);
        continue;
      }
      const next = await iterator
        .next()
        .catch((error: unknown) => ({ done: true, error }) as const);
      if (next.done === true) {
        isMore = false;
        if ('error' in next) failure = { error: next.error };
        continue;
      }
      const one = work(next.value);
      // Whoever comes to it gets the error.
      one.catch(() => undefined);
      working.push(one);
    }
  } finally {
    await iterator.return?.();
  }
  if (failure !== undefined) throw failure.error;
}
