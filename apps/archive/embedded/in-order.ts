/**
 * Works on items and gives the outcomes in their order: first one at a time, then one more with each outcome, up to
 * `atOnce`, so that a reader whom few satisfy has little done in vain. When the reader stops, or one piece of
 * work fails, nothing more is begun, and what is under way is let finish unheard.
 */
export async function* inOrder<Item, Outcome>(
  items: AsyncIterable<Item>,
  atOnce: number,
  work: (item: Item) => Promise<Outcome>,
): AsyncIterable<Outcome> {
  const working: Promise<Outcome>[] = [];
  let room = 1;
  for await (const item of items) {
    const one = work(item);
    // Whoever comes to it gets the error.
    one.catch(() => undefined);
    working.push(one);
    if (working.length < room) continue;
    room = Math.min(room + 1, atOnce);
    yield await (working.shift() as Promise<Outcome>);
  }
  for (const one of working) yield await one;
}
