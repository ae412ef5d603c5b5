import { eventKey } from '@auditing/audit-event/event-key';
import { Query, type KeptBatch } from '@auditing/proto/archive';
import { status } from '@grpc/grpc-js';

import { batchOf, DAY_ONE_US, eventBytes } from '../testing/batches';
import { allTexts, found, never } from '../testing/engines';
import { startFaultProxy, type Fault, type FaultProxy } from '../testing/fault-proxy';
import {
  connectTo,
  describeWithOpensearch,
  openOpensearch,
  ownPrefix,
  refresh,
  removeIndices,
} from '../testing/opensearch';
import type { OpenSearch } from './connect';
import type { OpensearchEngine } from './opensearch-engine';

const BUSY: Fault = { status: 429, type: 'rejected_execution_exception' };

function events(count: number): Buffer[] {
  return Array.from({ length: count }, (_, index) =>
    eventBytes({ auditId: `id-${index}`, atUs: index * 1e6 }),
  );
}

const idOf = (bytes: Buffer): string => eventKey(bytes).toString('base64url');

describeWithOpensearch('when OpenSearch fails,', () => {
  let proxy: FaultProxy;
  let prefix: string;
  let engine: OpensearchEngine;
  let direct: OpenSearch;

  beforeEach(async () => {
    proxy = await startFaultProxy();
    prefix = ownPrefix();
    engine = openThroughProxy();
    direct = connectTo();
  });

  afterEach(async () => {
    await engine.close();
    await proxy.down();
    await direct.close();
    await removeIndices(prefix);
  });

  /** Short waits: what is tested is that there are some. */
  function openThroughProxy(): OpensearchEngine {
    const backoff = { initialMs: 1, maxMs: 10 };
    return openOpensearch({ prefix, opensearch: connectTo(proxy.url), backoff });
  }

  async function stored(): Promise<string[]> {
    await refresh(direct, prefix);
    proxy.faults = {};
    return allTexts(engine);
  }

  test('documents that it has no room for are sent again, alone, until it takes them', async () => {
    const all = events(20);
    const tries = new Map<string, number>();
    proxy.faults.document = (id) => {
      tries.set(id, (tries.get(id) ?? 0) + 1);
      const isBusy = all.findIndex((bytes) => idOf(bytes) === id) % 3 === 0;
      return isBusy && (tries.get(id) ?? 0) < 3 ? BUSY : undefined;
    };
    expect(await engine.append(await batchOf(all), 0n)).toEqual({
      archivedCount: 20,
      duplicateCount: 0,
    });
    expect(all.map((bytes) => tries.get(idOf(bytes)))).toEqual(
      all.map((_, index) => (index % 3 === 0 ? 3 : 1)),
    );
    expect(await stored()).toEqual(all.map(String));
  });

  test.each<[string, Fault]>([
    ['no room', BUSY],
    ['no shard', { status: 503, type: 'unavailable_shards_exception' }],
    ['a full disk', { status: 403, type: 'cluster_block_exception' }],
    ['no index', { status: 404, type: 'index_not_found_exception' }],
    ['no more shards', { status: 400, type: 'validation_exception' }],
  ])(
    '%s for a document is answered with UNAVAILABLE, and the batch is stored once later',
    async (_, fault) => {
      const all = events(6);
      const sent = await batchOf(all);
      proxy.faults.document = (id) => (id === idOf(all[2]!) ? fault : undefined);
      await expect(engine.append(sent, 0n)).rejects.toMatchObject({ code: status.UNAVAILABLE });
      proxy.faults = {};
      expect(await engine.append(sent, 0n)).toEqual({ archivedCount: 1, duplicateCount: 5 });
      expect(await stored()).toEqual(all.map(String));
    },
  );

  test('a document that it will never take is refused, and every other one is stored', async () => {
    const all = events(9);
    const sent = await batchOf(all);
    proxy.faults.document = (id) =>
      id === idOf(all[4]!)
        ? { status: 400, type: 'mapper_parsing_exception', reason: 'failed to parse field [x]' }
        : undefined;
    await expect(engine.append(sent, 0n)).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
      message: expect.stringMatching(/refuses 1 of 9 .*failed to parse field \[x\]/) as string,
    });
    expect(await stored()).toEqual(all.filter((bytes) => bytes !== all[4]).map(String));
  });

  test.each<[string, Fault]>([
    ['too large', { status: 413, type: '' }],
    ['malformed', { status: 400, type: 'illegal_argument_exception' }],
  ])('a request that is %s is halved, down to single documents', async (_, fault) => {
    const all = events(11);
    let requests = 0;
    proxy.faults.request = (_method, path) =>
      path.startsWith('/_bulk') && (requests += 1) <= 3 ? fault : undefined;
    expect(await engine.append(await batchOf(all), 0n)).toMatchObject({ archivedCount: 11 });
    expect(requests).toBeGreaterThan(3);
    proxy.faults.request = (_method, path) => (path.startsWith('/_bulk') ? fault : undefined);
    await expect(
      engine.append(await batchOf([eventBytes({ auditId: 'alone', atUs: 0 })]), 0n),
    ).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
    expect(await stored()).toEqual(all.map(String));
  });

  test('a document larger than all its room is refused: waiting would hold up all others for ever', async () => {
    proxy.faults.request = (_method, path) =>
      path.startsWith('/_bulk')
        ? {
            ...BUSY,
            reason:
              'rejected execution of coordinating operation [coordinating_operation_bytes=64225542, max_coordinating_and_primary_bytes=51897958]',
          }
        : undefined;
    await expect(engine.append(await batchOf(events(1)), 0n)).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
    });
  });

  test('an answer that is lost, or speaks of fewer documents than were sent, proves nothing', async () => {
    const all = events(4);
    const sent = await batchOf(all);
    proxy.faults.loseAnswer = (path) => path.startsWith('/_bulk');
    await expect(engine.append(sent, 0n)).rejects.toMatchObject({ code: status.UNAVAILABLE });
    proxy.faults = {
      plugin: (_, path) =>
        path.startsWith('/_bulk') ? { status: 200, body: { items: [] } } : undefined,
    };
    await expect(engine.append(sent, 0n)).rejects.toMatchObject({ code: status.UNAVAILABLE });
    proxy.faults = {};
    expect(await engine.append(sent, 0n)).toEqual({ archivedCount: 0, duplicateCount: 4 });
    expect(await stored()).toEqual(all.map(String));
  });

  test('while it is down everything is answered with UNAVAILABLE, and goes on when it is back', async () => {
    await proxy.down();
    const sent = await batchOf(events(3));
    await expect(engine.append(sent, 0n)).rejects.toMatchObject({
      code: status.UNAVAILABLE,
      message: expect.stringMatching(/AUDITING_OPENSEARCH_URL/) as string,
    });
    await expect(found(engine, {})).rejects.toMatchObject({ code: status.UNAVAILABLE });
    await expect(engine.get(Buffer.alloc(32), never)).rejects.toMatchObject({
      code: status.UNAVAILABLE,
    });
    await proxy.up();
    expect(await engine.append(sent, 0n)).toMatchObject({ archivedCount: 3 });
    expect(await stored()).toHaveLength(3);
  });

  test('a wrong password is answered with UNAVAILABLE and the names of its settings', async () => {
    proxy.faults.request = () => ({ status: 401, type: 'security_exception' });
    await expect(engine.append(await batchOf(events(1)), 0n)).rejects.toMatchObject({
      code: status.UNAVAILABLE,
      message: expect.stringMatching(/AUDITING_OPENSEARCH_PASSWORD/) as string,
    });
  });

  test('a shard that does not answer makes a search fail, for its events would be missing', async () => {
    await engine.append(await batchOf(events(3)), 0n);
    proxy.faults.request = (_method, path) => {
      expect(path).not.toMatch(/\/_search(?!.*allow_partial_search_results=false)/);
      return undefined;
    };
    await refresh(direct, prefix);
    expect((await found(engine, {})).events).toHaveLength(3);
    let searches = 0;
    proxy.faults.request = () => {
      searches += 1;
      return { status: 503, type: 'search_phase_execution_exception' };
    };
    await expect(found(engine, {})).rejects.toMatchObject({ code: status.UNAVAILABLE });
    expect(searches).toBe(6);
  });

  test('a query waits for the shards of an index that is being made', async () => {
    await engine.append(await batchOf(events(3)), 0n);
    await refresh(direct, prefix);
    const index = `${prefix}-being-made`;
    const allocation = (enable: string) => ({ 'index.routing.allocation.enable': enable });
    await direct.request(
      {
        method: 'PUT',
        path: `/${index}`,
        parameters: { wait_for_active_shards: 0 },
        body: { settings: allocation('none') },
      },
      never,
    );
    // It has no shard before somebody has seen that there is none.
    let searches = 0;
    proxy.faults.request = (_method, path) => {
      if (!path.includes('/_search')) return undefined;
      searches += 1;
      if (searches !== 2) return undefined;
      const settings = {
        method: 'PUT',
        path: `/${index}/_settings`,
        body: allocation('all'),
      } as const;
      void direct.request(settings, never);
      return undefined;
    };
    expect((await found(engine, {})).events).toHaveLength(3);
    expect(searches).toBeGreaterThan(1);
  });

  test('a query that waits for shards ends with its caller', async () => {
    const caller = new AbortController();
    proxy.faults.request = () => {
      caller.abort();
      return { status: 503, type: 'search_phase_execution_exception' };
    };
    await expect(engine.statistics(Query.create(), caller.signal)).rejects.toMatchObject({
      code: status.CANCELLED,
    });
  });

  test('marks are made after every document was answered for, and are there after a restart', async () => {
    const known = await batchOf(events(3));
    const refused = await batchOf([eventBytes({ auditId: 'refused', atUs: 0 })]);
    await engine.append(known, 0n);
    proxy.faults.document = () => ({ status: 400, type: 'mapper_parsing_exception' });
    await expect(engine.append(refused, 0n)).rejects.toThrow(/refuses/);
    await engine.close();
    engine = openThroughProxy();
    const bulks: string[] = [];
    const watch = (batch: KeptBatch) => {
      bulks.length = 0;
      proxy.faults = {
        request: (_method, path) => {
          if (path.startsWith('/_bulk')) bulks.push(path);
          return undefined;
        },
      };
      return engine.append(batch, 0n);
    };
    expect(await watch(known)).toEqual({ archivedCount: 0, duplicateCount: 3 });
    expect(bulks).toHaveLength(0);
    expect(await watch(refused)).toEqual({ archivedCount: 1, duplicateCount: 0 });
    expect(bulks).toHaveLength(1);
  });

  test('two replicas that mark batches of the same gateway know of each other', async () => {
    const other = openOpensearch({ prefix });
    const batches = await Promise.all(
      Array.from({ length: 8 }, (_, index) =>
        batchOf([eventBytes({ auditId: `id-${index}`, atUs: index })]),
      ),
    );
    await Promise.all(
      batches.map((batch, index) => (index % 2 === 0 ? engine : other).append(batch, 0n)),
    );
    await engine.close();
    await other.close();
    engine = openThroughProxy();
    proxy.faults.request = (_method, path) => (path.startsWith('/_bulk') ? 'cut' : undefined);
    for (const batch of batches) {
      expect(await engine.append(batch, 0n)).toEqual({ archivedCount: 0, duplicateCount: 1 });
    }
  });

  test('marks that cannot be written cost nothing but a second look', async () => {
    const sent = await batchOf(events(3));
    proxy.faults.request = (method, path) =>
      method === 'PUT' && path.includes('/_doc/') ? BUSY : undefined;
    expect(await engine.append(sent, 0n)).toMatchObject({ archivedCount: 3 });
    await engine.close();
    engine = openThroughProxy();
    expect(await engine.append(sent, 0n)).toEqual({ archivedCount: 0, duplicateCount: 3 });
    expect(await stored()).toHaveLength(3);
  });

  test('an event far from its time of receipt is stored once, on whichever day it comes again', async () => {
    const dayUs = 86_400_000_000;
    const late = eventBytes({ auditId: 'late', atUs: 0 });
    for (const days of [10, 11, 40]) {
      await engine.append(await batchOf([late], { receivedAtUs: DAY_ONE_US + days * dayUs }), 0n);
      await refresh(direct, prefix);
    }
    expect(await stored()).toEqual([String(late)]);
  });
});
