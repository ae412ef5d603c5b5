import { createHash } from 'node:crypto';

import { SearchRequest } from '@auditing/proto/archive';

/** Length of a fingerprint. */
export const FINGERPRINT_BYTES = 8;

/** Query and order of a search, which must be the same in the one that goes on with its cursor. */
export function fingerprint({ query, order }: SearchRequest): Buffer {
  const same = SearchRequest.encode(
    SearchRequest.fromPartial({ ...(query && { query }), order }),
  ).finish();
  return createHash('sha256').update(same).digest().subarray(0, FINGERPRINT_BYTES);
}
