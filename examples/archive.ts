// Asks the archive. Run it with
//   npm run example -- archive search [USER]     the ten newest events, of one user if named
//   npm run example -- archive tail              events as they are stored, until Ctrl-C
//   npm run example -- archive export [USER]     the same as search, all of them, as NDJSON
//   npm run example -- archive history RESOURCE NAMESPACE NAME   who did what to an object, and what it changed
//   npm run example -- archive verify [CHECKPOINT]   checks the whole log
import { credentials } from '@grpc/grpc-js';
import {
  ArchiveServiceClient,
  ExportFormat,
  ExportRequest,
  Match,
  ObjectHistoryRequest,
  Order,
  Query,
  SearchRequest,
  TailRequest,
  VerifyRequest,
  type ExportResponse,
  type ObjectHistoryResponse,
  type SearchResponse,
  type VerifyResponse,
} from '@auditing/proto/archive';
import { Field, type AuditEvent } from '@auditing/proto/event';

/** Where the archive listens: `archive` of the ready line. */
const DEFAULT_ADDRESS = '127.0.0.1:9081';

export async function main(
  [command = 'search', ...args]: readonly string[],
  print: (line: string) => void,
  address = DEFAULT_ADDRESS,
): Promise<void> {
  const archive = new ArchiveServiceClient(address, credentials.createInsecure());
  try {
    await commandNamed(command)(archive, args, print);
  } finally {
    archive.close();
  }
}

type Command = (
  archive: ArchiveServiceClient,
  args: readonly string[],
  print: (line: string) => void,
) => Promise<void>;

function commandNamed(name: string): Command {
  const commands = new Map(Object.entries({ search, tail, export: exportEvents, history, verify }));
  const command = commands.get(name);
  if (command) return command;
  throw new Error(`expected one of ${[...commands.keys()].join(', ')}, got "${name}"`);
}

/** A query is a list of conditions that must all hold. */
function ofUser(user: string | undefined): Query {
  const condition = { field: Field.USER, match: Match.EXACT, values: user ? [user] : [] };
  return Query.fromPartial({ conditions: [condition] });
}

/** The answer is a stream of pages. */
async function search(
  archive: ArchiveServiceClient,
  [user]: readonly string[],
  print: (line: string) => void,
): Promise<void> {
  const call = archive.search(
    SearchRequest.fromPartial({
      query: ofUser(user),
      order: Order.NEWEST_FIRST,
      limit: 10,
    }),
  );
  for await (const page of call as AsyncIterable<SearchResponse>)
    for (const event of page.events) print(inOneLine(event));
}

/** The call goes on until the caller cancels it; here, until the process ends. */
async function tail(
  archive: ArchiveServiceClient,
  _args: readonly string[],
  print: (line: string) => void,
): Promise<void> {
  const call = archive.tail(TailRequest.fromPartial({}));
  for await (const event of call as AsyncIterable<AuditEvent>) print(inOneLine(event));
}

/** A file in pieces, which end anywhere: to be written one after the other. */
async function exportEvents(
  archive: ArchiveServiceClient,
  [user]: readonly string[],
  print: (line: string) => void,
): Promise<void> {
  const request = { query: ofUser(user), format: ExportFormat.NDJSON, order: Order.OLDEST_FIRST };
  const pieces: Buffer[] = [];
  const call = archive.export(ExportRequest.fromPartial(request));
  for await (const { data } of call as AsyncIterable<ExportResponse>) pieces.push(data);
  const text = Buffer.concat(pieces).toString().trimEnd();
  if (text !== '') print(text);
}

/** Where the level recorded bodies, each event says how the object differs from the version before. */
async function history(
  archive: ArchiveServiceClient,
  [resource = '', namespace = '', name = '']: readonly string[],
  print: (line: string) => void,
): Promise<void> {
  const call = archive.objectHistory(
    ObjectHistoryRequest.fromPartial({ resource, namespace, name }),
  );
  for await (const { event, changes } of call as AsyncIterable<ObjectHistoryResponse>) {
    if (event) print(inOneLine(event));
    for (const { path, before, after } of changes) print(`  ${path}: ${before} -> ${after}`);
  }
}

/** Keep the checkpoint elsewhere: given in a later request, it proves that what is there now was not changed. */
async function verify(
  archive: ArchiveServiceClient,
  checkpoints: readonly string[],
  print: (line: string) => void,
): Promise<void> {
  const call = archive.verify(VerifyRequest.fromPartial({ checkpoints: [...checkpoints] }));
  for await (const { result } of call as AsyncIterable<VerifyResponse>) {
    if (result === undefined) continue;
    print(result.statement);
    for (const { position, description } of result.problems) print(`${position}: ${description}`);
    if (result.headCheckpoint !== '') print(`checkpoint ${result.headCheckpoint}`);
  }
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
