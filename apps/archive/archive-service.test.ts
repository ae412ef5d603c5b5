import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';

import { eventKey } from '@auditing/audit-event/event-key';
import {
  ArchiveServiceService,
  Match,
  SearchRequest,
  AppendRequest,
  type KeptBatch,
} from '@auditing/proto/archive';
import { Field } from '@auditing/proto/event';
import { grpcClient, type GrpcClient } from '@auditing/service/grpc-client';
import { INSECURE } from '@auditing/service/grpc-tls';
import { start, type Started } from '@auditing/service/start';
import { status } from '@grpc/grpc-js';
import { pino } from 'pino';

import { archiveService } from './service';
import { batchOf, eventBytes } from './testing/batches';
import { found, never } from './testing/engines';

let directory: string;
let running: Started;
let client: GrpcClient<typeof ArchiveServiceService>;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'archive-'));
  await open();
});

afterEach(async () => {
  await shut();
  await rm(directory, { recursive: true });
});

async function open(): Promise<void> {
  const env = {
    AUDITING_DATA_DIR: directory,
    AUDITING_GRPC_LISTEN: '127.0.0.1:0',
    AUDITING_ADMIN_PORT: '0',
  };
  running = await start(archiveService, env, pino({ level: 'silent' }));
  client = grpcClient(ArchiveServiceService, running.addresses['archive'] ?? '', {
    credentials: INSECURE,
  });
}

async function shut(): Promise<void> {
  client.close();
  await running.stop();
}

function request(kept: KeptBatch, call = 0): AppendRequest {
  return AppendRequest.create({ call, kept });
}

test('what is appended over gRPC is found over gRPC, after a restart too', async () => {
  const events = [
    eventBytes({ auditId: 'a', user: 'alice', atUs: 0 }),
    eventBytes({ auditId: 'b', user: 'bob', atUs: 1e6 }),
  ];
  expect(await client.api.append(request(await batchOf(events)), never)).toMatchObject({
    archivedCount: 2,
  });
  await shut();
  await open();
  const condition = { field: Field.USER, match: Match.PREFIX, values: ['AL'] };
  const answer = await found(client.api, { query: { conditions: [condition] }, includeRaw: true });
  expect(answer.events.map(({ raw }) => raw.toString())).toEqual([String(events[0])]);
  const event = await client.api.get({ key: eventKey(events[1]!) }, never);
  expect(event).toMatchObject({ auditId: 'b', raw: events[1] });
  const query = { start: undefined, end: undefined, conditions: [], text: '', scope: undefined };
  expect(await client.api.statistics({ query }, never)).toEqual({
    eventCount: 2n,
    requestCount: 2n,
  });
  expect(await client.api.histogram({ query, intervalSeconds: 60 }, never)).toMatchObject({
    total: 2n,
  });
  expect(await client.api.facets({ query, field: Field.USER, limit: 0 }, never)).toMatchObject({
    facets: [{ value: 'alice' }, { value: 'bob' }],
  });
});

test('answers of a stream name their requests; a bad one does not end it', async () => {
  const good = await Promise.all(
    [0, 1, 2].map((index) => batchOf([eventBytes({ auditId: `s-${index}`, atUs: index })])),
  );
  const requests = Readable.from([
    request(good[0]!, 11),
    request({ ...good[1]!, positions: [] }, 12),
    request(good[2]!, 13),
    request(good[2]!, 14),
  ]) as AsyncIterable<AppendRequest>;
  const answers = [];
  for await (const answer of client.api.appendStream(requests, never)) answers.push(answer);
  answers.sort((a, b) => a.call - b.call);
  expect(answers).toMatchObject([
    { call: 11, archivedCount: 1, error: undefined },
    {
      call: 12,
      error: {
        code: status.INVALID_ARGUMENT,
        message: expect.stringMatching(/^kept.positions: expected 1 entries/) as string,
      },
    },
    { call: 13, archivedCount: 1 },
    { call: 14, archivedCount: 0, duplicateCount: 1 },
  ]);
});

test('a listener gets what is appended', async () => {
  const ending = new AbortController();
  const tail = client.api.tail(
    { query: undefined, includeRaw: true, resumeToken: '' },
    ending.signal,
  );
  const events = tail[Symbol.asyncIterator]();
  const next = events.next();
  const bytes = eventBytes({ auditId: 'tailed', atUs: 0 });
  // The listener may not be there yet: events go on coming until it has one.
  const heard = { yes: false };
  void next.then(() => (heard.yes = true));
  for (let index = 0; !heard.yes && index < 500; index += 1) {
    await client.api.append(
      request(await batchOf([eventBytes({ auditId: `t-${index}`, atUs: 0 })])),
      never,
    );
  }
  expect((await next).value).toMatchObject({ auditId: expect.stringMatching(/^t-/) as string });
  await client.api.append(request(await batchOf([bytes])), never);
  for (;;) {
    const one = await events.next();
    if (one.done === true || one.value.auditId !== 'tailed') continue;
    expect(one.value.raw).toEqual(bytes);
    break;
  }
  ending.abort();
  await expect(events.next()).rejects.toMatchObject({ code: status.CANCELLED });
});

test('metrics count archived and duplicate events', async () => {
  const events = [eventBytes({ auditId: 'a', atUs: 0 }), eventBytes({ auditId: 'b', atUs: 0 })];
  await client.api.append(request(await batchOf(events)), never);
  await client.api.append(request(await batchOf(events.slice(1))), never);
  const text = await (await fetch(`${running.addresses['admin'] ?? ''}/metrics`)).text();
  expect(text).toContain('auditing_archive_events_archived_total 2\n');
  expect(text).toContain('auditing_archive_events_duplicate_total 1\n');
  expect(text).toMatch(/auditing_archive_log_bytes [1-9]/);
});

/** Lets the service check the search, not the test. */
async function searched(search: Parameters<typeof SearchRequest.fromPartial>[0]): Promise<number> {
  let count = 0;
  for await (const { events } of client.api.search(SearchRequest.fromPartial(search), never)) {
    count += events.length;
  }
  return count;
}

describe('a request that is wrong is refused, and the error names what is wrong:', () => {
  const searches: [string, Parameters<typeof SearchRequest.fromPartial>[0], RegExp][] = [
    [
      'an unknown field',
      { query: { conditions: [{ field: Field.UNRECOGNIZED, values: ['x'] }] } },
      /query.conditions\[0\].field/,
    ],
    ['a limit too high', { limit: 10_001 }, /^limit: expected 1 to 10000.*got 10001/],
    ['an offset too high', { offset: 1_000_001 }, /^offset/],
    ['a cursor made up', { cursor: 'abc' }, /^cursor/],
  ];
  test.each(searches)('%s', async (_, search, message) => {
    await expect(searched(search)).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
      message: expect.stringMatching(message) as string,
    });
  });

  const batches: [string, (batch: KeptBatch) => void, RegExp][] = [
    ['no id', ({ batch }) => (batch!.id = undefined), /^kept.batch.id/],
    ['an epoch of another form', ({ batch }) => (batch!.id!.epoch = 'x'), /epoch: expected 16/],
    ['no block', ({ batch }) => (batch!.block = undefined), /^kept.batch.block/],
    ['another size', ({ batch }) => (batch!.sliceBytes[0]! += 1), /raw_bytes/],
    [
      'keys missing',
      ({ batch }) => (batch!.keys = Buffer.alloc(5)),
      /keys: expected a length of 32/,
    ],
    ['a code without value', ({ batch }) => (batch!.columns[0]!.rows[0] = 7), /rows from 0 to 1/],
    ['a time that is none', ({ batch }) => (batch!.stageUs[0] = NaN), /finite/],
    [
      'a position outside',
      (kept) => ((kept.batch!.id!.eventCount = 1), (kept.positions[0] = 1)),
      /^kept.positions/,
    ],
    ['a rule without name', ({ verdicts }) => (verdicts!.rules = []), /^kept.verdicts/],
    [
      'two verdicts on one event',
      ({ verdicts }) => verdicts!.verdicts.push(verdicts!.verdicts[0]!),
      /^kept.verdicts: .*ascending/,
    ],
    [
      'a damaged block',
      ({ batch }) => (batch!.block!.data = Buffer.from('zstd')),
      /^kept.batch.block/,
    ],
  ];
  test.each(batches)('a batch with %s', async (_, spoil, message) => {
    const kept = await batchOf([eventBytes({ auditId: 'a', atUs: 0 })]);
    spoil(kept);
    await expect(client.api.append(request(kept), never)).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
      message: expect.stringMatching(message) as string,
    });
  });

  test('a key of another length, an interval of 0, too many buckets', async () => {
    await expect(client.api.get({ key: Buffer.alloc(5) }, never)).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
    });
    await expect(client.api.get({ key: Buffer.alloc(32) }, never)).rejects.toMatchObject({
      code: status.NOT_FOUND,
    });
    await expect(
      client.api.histogram({ query: undefined, intervalSeconds: 0 }, never),
    ).rejects.toThrow(/interval_seconds/);
    await client.api.append(
      request(
        await batchOf([
          eventBytes({ auditId: 'a', atUs: 0 }),
          eventBytes({ auditId: 'b', atUs: 20_000e6 }),
        ]),
      ),
      never,
    );
    await expect(
      client.api.histogram({ query: undefined, intervalSeconds: 1 }, never),
    ).rejects.toThrow(/10000 buckets/);
  });
});
