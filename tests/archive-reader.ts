import { credentials } from '@grpc/grpc-js';
import { ArchiveServiceClient, SearchRequest, type SearchResponse } from '@auditing/proto/archive';

const PAGE_SIZE = 1000;
/** Longer than all back-offs between the services after each other. */
const QUIET_MS = 60_000;
/** Keys shown of each kind of difference. */
const SHOWN_MAX = 5;
const MESSAGE_MAX_BYTES = 64 * 1024 * 1024;

/**
 * Every archived event, or those that contain a text, by their keys in hexadecimal; a list, so that one stored twice would be
 * seen twice.
 */
export async function archivedEvents(address: string, text = ''): Promise<Map<string, Buffer[]>> {
  const client = new ArchiveServiceClient(address, credentials.createInsecure(), {
    'grpc.max_receive_message_length': MESSAGE_MAX_BYTES,
  });
  const found = new Map<string, Buffer[]>();
  try {
    for (let cursor: string | undefined = ''; cursor !== undefined;) {
      const request = SearchRequest.fromPartial({
        query: { text },
        limit: PAGE_SIZE,
        includeRaw: true,
        cursor,
      });
      cursor = undefined;
      for await (const part of client.search(request) as AsyncIterable<SearchResponse>) {
        for (const { key, raw } of part.events) {
          const id = key.toString('hex');
          found.set(id, [...(found.get(id) ?? []), raw]);
        }
        if (part.nextCursor !== '') cursor = part.nextCursor;
      }
    }
  } finally {
    client.close();
  }
  return found;
}

/**
 * Waits until the archive holds as many events as wanted, or nothing has come for a while, and returns what it
 * holds.
 */
export async function settledArchive(
  address: string,
  wantedCount: number,
): Promise<Map<string, Buffer[]>> {
  let lastCount = -1;
  let lastChangeAt = Date.now();
  for (;;) {
    const events = await archivedEvents(address);
    if (events.size !== lastCount) {
      lastCount = events.size;
      lastChangeAt = Date.now();
    }
    // Read once more: the last reading went on while events were stored.
    if (events.size >= wantedCount || Date.now() - lastChangeAt > QUIET_MS)
      return await archivedEvents(address);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** The difference between what was found and what was wanted, in a form that a failed test shows well. */
export function differences(
  found: ReadonlyMap<string, readonly Buffer[]>,
  wanted: ReadonlyMap<string, Buffer>,
): Record<'missing' | 'doubled' | 'altered' | 'unwanted', string[]> {
  const result: Record<'missing' | 'doubled' | 'altered' | 'unwanted', string[]> = {
    missing: [...wanted.keys()].filter((key) => !found.has(key)),
    doubled: [],
    altered: [],
    unwanted: [],
  };
  for (const [key, copies] of found) {
    const bytes = wanted.get(key);
    if (bytes === undefined) result.unwanted.push(key);
    else if (!copies.every((copy) => copy.equals(bytes))) result.altered.push(key);
    if (copies.length > 1) result.doubled.push(key);
  }
  for (const [kind, keys] of Object.entries(result))
    if (keys.length > SHOWN_MAX)
      keys.splice(SHOWN_MAX, keys.length, `and ${keys.length - SHOWN_MAX} more ${kind}`);
  return result;
}

/** Nothing differs. */
export const NO_DIFFERENCES = { missing: [], doubled: [], altered: [], unwanted: [] };
