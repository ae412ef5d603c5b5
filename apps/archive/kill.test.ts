import { spawn, type ChildProcess, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, watch } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

import {
  AppendRequest,
  ArchiveServiceService,
  Proof,
  VerifyRequest,
  type KeptBatch,
} from '@auditing/proto/archive';
import { grpcClient, type GrpcClient } from '@auditing/service/grpc-client';
import { INSECURE } from '@auditing/service/grpc-tls';

import { bundleArchive } from './testing/archive-bundle';
import { batchOf, eventBytes } from './testing/batches';
import { allTexts, never } from './testing/engines';
import {
  connectTo,
  describeWithOpensearch,
  OPENSEARCH_URL,
  ownPrefix,
  refresh,
  removeIndices,
} from './testing/opensearch';

let bundle: string;
let directory: string;

beforeAll(async () => {
  bundle = await bundleArchive('kill');
  directory = await mkdtemp(join(tmpdir(), 'archive-'));
}, 300_000);

afterAll(() => rm(directory, { recursive: true }));

interface RunningArchive {
  readonly child: ChildProcess;
  readonly client: GrpcClient<typeof ArchiveServiceService>;
}

function spawnArchive(settings: Record<string, string>): ChildProcessByStdio<null, Readable, null> {
  return spawn(process.execPath, [bundle], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...process.env,
      AUDITING_DATA_DIR: directory,
      AUDITING_GRPC_LISTEN: '127.0.0.1:0',
      AUDITING_ADMIN_PORT: '0',
      AUDITING_LOG_LEVEL: 'error',
      AUDITING_RETENTION_AGE: '36500d',
      ...settings,
    },
  });
}

async function startArchive(settings: Record<string, string>): Promise<RunningArchive> {
  const child = spawnArchive(settings);
  for await (const line of createInterface(child.stdout)) {
    if (!line.startsWith('ready ')) continue;
    const { archive } = JSON.parse(line.slice('ready '.length)) as { archive: string };
    return { child, client: grpcClient(ArchiveServiceService, archive, { credentials: INSECURE }) };
  }
  throw new Error('the archive did not start');
}

async function kill({ child, client }: RunningArchive): Promise<void> {
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
  client.close();
}

/** Sends batches, four at a time, until all are sent or the archive is gone; tells of each that was acknowledged. */
async function send(
  archive: RunningArchive,
  batches: readonly KeptBatch[],
  onAcknowledged: (batch: KeptBatch) => void,
): Promise<void> {
  let next = 0;
  const sender = async (): Promise<void> => {
    for (let batch = batches[next++]; batch !== undefined; batch = batches[next++]) {
      await archive.client.api.append(AppendRequest.create({ kept: batch }), never);
      onAcknowledged(batch);
    }
  };
  await Promise.allSettled([sender(), sender(), sender(), sender()]);
}

interface KillOptions {
  readonly settings: Record<string, string>;
  readonly batchCount: number;
  readonly killCount: number;
  /** Makes searches show all that is stored. */
  readonly settle: () => Promise<void>;
}

async function killWhileAppending({
  settings,
  batchCount,
  killCount,
  settle,
}: KillOptions): Promise<void> {
  const texts: string[] = [];
  const batches: KeptBatch[] = [];
  for (let batch = 0; batch < batchCount; batch += 1) {
    // Some events lack an audit id: only the id of their batch keeps them from being doubled.
    const auditId = batch % 4 === 0 ? '' : `id-${batch}`;
    const events = [0, 1, 2].map((event) =>
      eventBytes({ auditId, name: `${batch}-${event}`, atUs: batch }),
    );
    texts.push(...events.map(String));
    batches.push(await batchOf(events));
  }
  const acknowledged = new Set<KeptBatch>();
  for (let round = 0; round < killCount; round += 1) {
    const archive = await startArchive(settings);
    const killAt = acknowledged.size + 5 + Math.floor(Math.random() * 40);
    let killed: Promise<void> | undefined;
    await send(archive, batches, (batch) => {
      acknowledged.add(batch);
      if (acknowledged.size >= killAt) killed ??= kill(archive);
    });
    await (killed ?? kill(archive));
  }
  const archive = await startArchive(settings);
  try {
    await settle();
    const stored = await allTexts(archive.client.api);
    expect(new Set(stored).size).toBe(stored.length);
    expect(stored.length).toBeGreaterThanOrEqual(3 * acknowledged.size);
    expect(acknowledged.size).toBeGreaterThan(0);
    const sentAgain: KeptBatch[] = [];
    await send(archive, batches, (batch) => sentAgain.push(batch));
    expect(sentAgain).toHaveLength(batches.length);
    await settle();
    expect((await allTexts(archive.client.api)).sort()).toEqual(texts.sort());
  } finally {
    await kill(archive);
  }
}

test('after each kill -9 all that was acknowledged is there once, and the rest when it is sent again', async () => {
  await killWhileAppending({
    settings: { AUDITING_ARCHIVE_SEGMENT_BYTES: '20000' },
    batchCount: 400,
    killCount: 6,
    settle: () => Promise.resolve(),
  });
}, 300_000);

test('killed while it makes its indexes anew, it makes them at the next start', async () => {
  const settings = {
    AUDITING_ARCHIVE_SEGMENT_BYTES: '20000',
    AUDITING_ARCHIVE_INDEX_BYTES: '1000',
  };
  const index = join(directory, 'archive/index');
  const first = await startArchive(settings);
  const before = (await allTexts(first.client.api)).sort();
  await kill(first);
  for (let round = 0; round < 5; round += 1) {
    await rm(index, { recursive: true });
    await mkdir(index);
    const child = spawnArchive(settings);
    const exited = once(child, 'exit');
    const wanted = 1 + round;
    // Each sidecar is written under another name and renamed: a kill can come between any two.
    let changes = 0;
    for await (const _change of watch(index)) {
      changes += 1;
      if (changes >= wanted) break;
    }
    child.kill('SIGKILL');
    await exited;
  }
  const last = await startArchive(settings);
  expect((await allTexts(last.client.api)).sort()).toEqual(before);
  expect(before.length).toBeGreaterThan(100);
  await kill(last);
}, 300_000);

test('killed while it joins small batches, it has the old segment or the new one', async () => {
  const settings = {
    AUDITING_ARCHIVE_SEGMENT_BYTES: '60000',
    AUDITING_DATA_DIR: join(directory, 'joining'),
  };
  const log = join(directory, 'joining/archive/log');
  await mkdir(log, { recursive: true });
  const texts: string[] = [];
  const batches: KeptBatch[] = [];
  for (let event = 0; event < 700; event += 1) {
    const bytes = eventBytes({ auditId: event % 3 === 0 ? '' : `id-${event}`, atUs: event });
    texts.push(String(bytes));
    batches.push(await batchOf([bytes]));
  }
  const changesSeen: string[] = [];
  for (let round = 0; round < 8; round += 1) {
    const archive = await startArchive(settings);
    let killed: Promise<void> | undefined;
    // A file beside the segment, its name, and the end of the old file: a kill comes after each of them in turn.
    const watching = watch(log);
    const killing = (async () => {
      let changes = 0;
      for await (const { filename } of watching) {
        if (!/-\d+\.journal(\.new)?$/.test(filename ?? '')) continue;
        changes += 1;
        if (changes <= round % 4) continue;
        changesSeen.push(filename ?? '');
        killed = kill(archive);
        return;
      }
    })();
    await send(archive, batches, () => undefined);
    await killing;
    await killed;
  }
  expect(changesSeen).toHaveLength(8);
  const archive = await startArchive(settings);
  try {
    await send(archive, batches, () => undefined);
    expect((await allTexts(archive.client.api)).sort()).toEqual(texts.sort());
    let proof = Proof.UNSPECIFIED;
    for await (const { result } of archive.client.api.verify(VerifyRequest.create(), never))
      proof = result?.proof ?? proof;
    expect(proof).toBe(Proof.CONSISTENT);
  } finally {
    await kill(archive);
  }
  const names = await readdir(log);
  expect(names.some((name) => name.includes('-'))).toBe(true);
}, 300_000);

describeWithOpensearch('an archive in OpenSearch', () => {
  test('loses and doubles nothing that it acknowledged, whenever it is killed', async () => {
    const prefix = ownPrefix();
    const opensearch = connectTo();
    await killWhileAppending({
      settings: {
        AUDITING_ARCHIVE_ENGINE: 'opensearch',
        AUDITING_OPENSEARCH_URL: OPENSEARCH_URL ?? '',
        AUDITING_OPENSEARCH_INDEX_PREFIX: prefix,
        AUDITING_OPENSEARCH_REPLICAS: '0',
      },
      batchCount: 150,
      killCount: 4,
      settle: () => refresh(opensearch, prefix),
    });
    await opensearch.close();
    await removeIndices(prefix);
  }, 300_000);
});
