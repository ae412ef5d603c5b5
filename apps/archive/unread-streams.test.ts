import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import {
  AppendRequest,
  ArchiveServiceService,
  ExportRequest,
  SearchRequest,
} from '@auditing/proto/archive';
import { Field } from '@auditing/proto/event';
import { grpcClient, type GrpcClient } from '@auditing/service/grpc-client';
import { INSECURE } from '@auditing/service/grpc-tls';
import {
  Client,
  credentials,
  status,
  type ClientReadableStream,
  type ServiceError,
} from '@grpc/grpc-js';

import { bundleArchive } from './testing/archive-bundle';
import { batchOf, eventBytes } from './testing/batches';
import { never } from './testing/engines';

/** Streams that a client opens and never reads: each would hold a message of 1 MiB. */
const STREAM_COUNT = 900;
/** The archive's heap. With 48 of the streams open it holds some 150 MiB, with all of them it ends in "heap out of memory". */
const HEAP_MAX_MIB = 256;
/** Growth of what it takes in all, blocks and messages included: 400 MiB or so with 48 of the streams open, 1,500 with all. */
const GROWTH_MAX_MIB = 800;

let bundle: string;
let directory: string;
let archive: ChildProcess;
let addresses: Record<string, string>;
let client: GrpcClient<typeof ArchiveServiceService>;

beforeAll(async () => {
  bundle = await bundleArchive('unread');
  directory = await mkdtemp(join(tmpdir(), 'archive-'));
  const child = spawn(process.execPath, [`--max-old-space-size=${HEAP_MAX_MIB}`, bundle], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...process.env,
      AUDITING_DATA_DIR: directory,
      AUDITING_GRPC_LISTEN: '127.0.0.1:0',
      AUDITING_ADMIN_PORT: '0',
      AUDITING_LOG_LEVEL: 'error',
      AUDITING_RETENTION_AGE: '36500d',
    },
  });
  archive = child;
  for await (const line of createInterface(child.stdout)) {
    if (!line.startsWith('ready ')) continue;
    addresses = JSON.parse(line.slice('ready '.length)) as Record<string, string>;
    break;
  }
  client = grpcClient(ArchiveServiceService, addresses['archive'] ?? '', { credentials: INSECURE });
  // 8 MB: many messages for each stream.
  for (let batch = 0; batch < 8; batch += 1) {
    const events = Array.from({ length: 16 }, (_, index) =>
      eventBytes({
        auditId: `${batch}-${index}`,
        atUs: batch * 1e6 + index,
        note: 'x'.repeat(2 ** 16),
      }),
    );
    await client.api.append(AppendRequest.create({ kept: await batchOf(events) }), never);
  }
}, 300_000);

afterAll(async () => {
  client.close();
  archive.kill();
  await once(archive, 'exit');
  await rm(directory, { recursive: true });
});

async function residentMib(): Promise<number> {
  const response = await fetch(`${addresses['admin']}/metrics`);
  const [, bytes] = /^process_resident_memory_bytes (\S+)$/m.exec(await response.text()) ?? [];
  return Number(bytes) / 2 ** 20;
}

type Unread = ClientReadableStream<unknown>;

/** Opens a stream that is never read, on a connection of its client's own. */
function openUnread(greedy: Client, at: number): Unread {
  const method = at % 2 === 0 ? ArchiveServiceService.search : ArchiveServiceService.export;
  const request =
    at % 2 === 0
      ? SearchRequest.create({ limit: 10_000, includeRaw: true })
      : ExportRequest.create({});
  return greedy.makeServerStreamRequest<unknown, unknown>(
    method.path,
    (message) => Buffer.from(method.requestSerialize(message as never)),
    (bytes) => bytes,
    request,
  );
}

/** Undefined if the archive began to answer; else why it refused. */
function outcome(stream: Unread): Promise<ServiceError | undefined> {
  return new Promise((resolve) => {
    stream.once('metadata', () => resolve(undefined));
    // Also later, when the client closes.
    stream.on('error', (error) => resolve(error as ServiceError));
  });
}

test('a client that opens streams and reads none takes a bounded part of the memory, and others are answered', async () => {
  const greedy = new Client(addresses['archive'] ?? '', credentials.createInsecure(), {
    'grpc.use_local_subchannel_pool': 1,
  });
  const before = await residentMib();
  const streams = Array.from({ length: STREAM_COUNT }, (_, at) => openUnread(greedy, at));
  const outcomes = await Promise.all(streams.map(outcome));
  const refused = outcomes.flatMap((error) => error ?? []);
  expect(refused).toHaveLength(STREAM_COUNT - 48);
  for (const error of refused) {
    expect(error.code).toBe(status.RESOURCE_EXHAUSTED);
    expect(error.details).toContain('read or cancel those that are open');
  }
  const users = { query: undefined, field: Field.USER, limit: 10 };
  expect(await client.api.facets(users, never)).toMatchObject({ facets: [{ count: 128n }] });
  let eventCount = 0;
  const request = SearchRequest.create({ limit: 1000, includeRaw: true });
  for await (const { events } of client.api.search(request, never)) eventCount += events.length;
  expect(eventCount).toBe(128);
  expect((await residentMib()) - before).toBeLessThan(GROWTH_MAX_MIB);
  // What it gives up makes room for it again.
  for (const stream of streams) stream.cancel();
  let again: ServiceError | undefined;
  do {
    const stream = openUnread(greedy, 0);
    again = await outcome(stream);
    stream.cancel();
  } while (again !== undefined);
  greedy.close();
}, 120_000);
