import { status } from '@grpc/grpc-js';
import type { SearchRequest } from '@auditing/proto/archive';
import { RpcError } from '@auditing/service/rpc-error';

import { fingerprint, FINGERPRINT_BYTES } from '../search-fingerprint';

const VERSION = 1;
/** Version, time, position, event, fingerprint of the search. */
const CURSOR_BYTES = 1 + 8 + 8 + 4 + FINGERPRINT_BYTES;

/** Where an answer ended: the last event given. Holds while events are stored and old ones are removed. */
export interface CursorPlace {
  readonly timeUs: number;
  /** Position of its segment in the log; earlier releases told that of its record. */
  readonly position: number;
  /** Its place in the segment, or record. */
  readonly event: number;
}

/** The text of a cursor, for this search alone. */
export function writeCursor(place: CursorPlace, search: SearchRequest): string {
  const bytes = Buffer.alloc(CURSOR_BYTES);
  bytes.writeUInt8(VERSION, 0);
  bytes.writeDoubleLE(place.timeUs, 1);
  bytes.writeDoubleLE(place.position, 9);
  bytes.writeUInt32LE(place.event, 17);
  fingerprint(search).copy(bytes, 21);
  return bytes.toString('base64url');
}

/**
 * What a cursor says; undefined for the empty one.
 *
 * @throws INVALID_ARGUMENT if it is damaged or was given for another query or order.
 */
export function readCursor(search: SearchRequest): CursorPlace | undefined {
  if (search.cursor === '') return undefined;
  const bytes = Buffer.from(search.cursor, 'base64url');
  if (bytes.length !== CURSOR_BYTES || bytes.readUInt8(0) !== VERSION) {
    throw new RpcError(
      status.INVALID_ARGUMENT,
      'cursor: expected the next_cursor of an earlier answer, got other text',
    );
  }
  if (!bytes.subarray(21).equals(fingerprint(search))) {
    throw new RpcError(
      status.INVALID_ARGUMENT,
      'cursor: it belongs to a search with another query or order; repeat both as they were, or leave the cursor out',
    );
  }
  return {
    timeUs: bytes.readDoubleLE(1),
    position: bytes.readDoubleLE(9),
    event: bytes.readUInt32LE(17),
  };
}
