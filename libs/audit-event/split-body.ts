import type { Source } from '@auditing/proto/event';
import { BodyError } from './body-error';
import { BodyReader } from './body-reader';

export { BodyError };

/**
 * Most items of one body. The largest body that is taken (256 MiB) holds this many events of 537 bytes, which is
 * less than the smallest real ones; without a limit 256 MiB of `{},{},…` would become a hundred million objects.
 */
export const MAX_ITEMS = 500_000;

/** One entry of a body that is no event. */
export interface BadItem {
  /** Where: a path such as `$.items[3]` or `$[2]`, after `byte N: ` if the body holds several values. */
  readonly at: string;
  /** Its bytes, a view into the body. */
  readonly bytes: Buffer;
  readonly reason: string;
}

/** A body, cut into its events. */
export interface SplitBody {
  /** The exact bytes of each event, in order; views into the body. */
  readonly slices: Buffer[];
  readonly badItems: BadItem[];
  /**
   * What an event is taken for whose own keys do not say it: the side of the first list's key; without a list, the
   * case of the first event's first key.
   */
  readonly listSource: Source;
}

/**
 * Cuts a body into its events: an EventList, `{"Items":[…]}` in any case, a bare array, one bare event, or any of
 * these one after another with or without white space between. An object is one bare event if it has no list key
 * and at least one top-level key of an event, in any case. An empty list, or null in its place, is no event and no
 * error.
 *
 * The slices are cut by quotes and brackets; that each is valid JSON is for the caller to find out, as decodeBody
 * does.
 *
 * Throws BodyError when no event can be read, and when the body as a whole is damaged: cut off, or with anything
 * but values in it.
 */
export function splitBody(body: Buffer): SplitBody {
  const slices: Buffer[] = [];
  const badItems: BadItem[] = [];
  const reader = new BodyReader(body, {
    end: () => -1,
    item(start, end, reason) {
      const bytes = body.subarray(start, end);
      if (reason === undefined) slices.push(bytes);
      else badItems.push({ at: reader.placeOf(start), bytes, reason });
      checkCount(slices.length + badItems.length);
    },
  });
  const turns = reader.read();
  // Nobody waits for a turn here.
  while (turns.next().done !== true);
  checkAnyGood(slices.length, badItems);
  return { slices, badItems, listSource: reader.listSource };
}

/** Throws BodyError when a body has more items than are taken. */
export function checkCount(count: number): void {
  if (count > MAX_ITEMS) {
    throw new BodyError(`more than ${MAX_ITEMS} items; send fewer in one body`, '$');
  }
}

/** Throws BodyError when a body holds bad items and nothing else. */
export function checkAnyGood(goodCount: number, badItems: readonly BadItem[]): void {
  const [first] = badItems;
  if (goodCount > 0 || !first) return;
  const all =
    badItems.length === 1 ? '' : `none of ${badItems.length} items is an event; the first: `;
  throw new BodyError(`${all}${first.reason}`, first.at);
}
