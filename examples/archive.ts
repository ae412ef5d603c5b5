// Searches and tails the archive. Run it with
//   npm run example -- archive search [USER]     the ten newest events, of one user if named
//   npm run example -- archive tail              events as they are stored, until Ctrl-C
import { credentials } from '@grpc/grpc-js';
import {
  ArchiveServiceClient,
  Match,
  Order,
  SearchRequest,
  TailRequest,
  type SearchResponse,
} from '@auditing/proto/archive';
import { Field, type AuditEvent } from '@auditing/proto/event';

/** Where the archive listens: `archive` of the ready line. */
const DEFAULT_ADDRESS = '127.0.0.1:9081';

export async function main(
  [command = 'search', user]: readonly string[],
  print: (line: string) => void,
  address = DEFAULT_ADDRESS,
): Promise<void> {
  const archive = new ArchiveServiceClient(address, credentials.createInsecure());
  try {
    if (command === 'search') await search(archive, user, print);
    else if (command === 'tail') await tail(archive, print);
    else throw new Error(`expected search or tail, got "${command}"`);
  } finally {
    archive.close();
  }
}

/** A query is a list of conditions that must all hold; the answer is a stream of pages. */
async function search(
  archive: ArchiveServiceClient,
  user: string | undefined,
  print: (line: string) => void,
): Promise<void> {
  const ofUser = { field: Field.USER, match: Match.EXACT, values: user ? [user] : [] };
  const call = archive.search(
    SearchRequest.fromPartial({
      query: { conditions: [ofUser] },
      order: Order.NEWEST_FIRST,
      limit: 10,
    }),
  );
  for await (const page of call as AsyncIterable<SearchResponse>)
    for (const event of page.events) print(inOneLine(event));
}

/** The call goes on until the caller cancels it; here, until the process ends. */
async function tail(archive: ArchiveServiceClient, print: (line: string) => void): Promise<void> {
  const call = archive.tail(TailRequest.fromPartial({}));
  for await (const event of call as AsyncIterable<AuditEvent>) print(inOneLine(event));
}

/** Text of events comes from clients and may hold anything: JSON.stringify keeps a terminal safe. */
function inOneLine({ stageTimestamp, user, verb, objectRef, responseStatus }: AuditEvent): string {
  const at = new Date(Number(stageTimestamp?.seconds ?? 0n) * 1000).toISOString();
  const object = [
    objectRef?.namespace,
    objectRef?.resource,
    objectRef?.name,
    objectRef?.subresource,
  ];
  const words = [user?.username, verb, object.filter(Boolean).join('/'), responseStatus?.code];
  return `${at} ${words.map((word) => JSON.stringify(word ?? '')).join(' ')}`;
}
