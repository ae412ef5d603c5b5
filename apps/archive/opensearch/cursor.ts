import { status } from '@grpc/grpc-js';
import type { SearchRequest } from '@auditing/proto/archive';
import { RpcError } from '@auditing/service/rpc-error';

import { fingerprint } from '../search-fingerprint';

const VERSION = 1;

/**
 * What events are sorted by: time, then the order in which they came. Together they are unique, so that a page can
 * begin behind any event, whatever is stored or removed meanwhile.
 */
export const SORT_FIELDS = [
  'Kept.TimeUs',
  'Kept.ReceivedAtUs',
  'Kept.Sequence',
  'Kept.Place',
  'Kept.Epoch',
] as const;

/** The place of an event in the order: its values of SORT_FIELDS. */
export type SortPlace = readonly (number | string)[];

/** The text of a cursor, for this search alone. */
export function writeCursor(place: SortPlace, search: SearchRequest): string {
  const print = fingerprint(search).toString('base64url');
  return Buffer.from(JSON.stringify([VERSION, print, ...place])).toString('base64url');
}

/**
 * What a cursor says; undefined for the empty one.
 *
 * @throws INVALID_ARGUMENT if it is damaged or was given for another query or order.
 */
export function readCursor(search: SearchRequest): SortPlace | undefined {
  if (search.cursor === '') return undefined;
  const [version, print, ...place] = parsed(search.cursor);
  if (version !== VERSION || place.length !== SORT_FIELDS.length || !place.every(isPlain)) {
    throw new RpcError(
      status.INVALID_ARGUMENT,
      'cursor: expected the next_cursor of an earlier answer, got other text',
    );
  }
  if (print !== fingerprint(search).toString('base64url')) {
    throw new RpcError(
      status.INVALID_ARGUMENT,
      'cursor: it belongs to a search with another query or order; repeat both as they were, or leave the cursor out',
    );
  }
  return place;
}

function parsed(cursor: string): unknown[] {
  try {
    const values = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as unknown;
    return Array.isArray(values) ? values : [];
  } catch {
    return [];
  }
}

function isPlain(value: unknown): value is number | string {
  return typeof value === 'number' || typeof value === 'string';
}
