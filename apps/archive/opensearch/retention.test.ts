import { batchOf, DAY_ONE_US, eventBytes } from '../testing/batches';
import { allTexts, never } from '../testing/engines';
import { startFaultProxy, type FaultProxy } from '../testing/fault-proxy';
import {
  connectTo,
  describeWithOpensearch,
  openOpensearch,
  ownPrefix,
  refresh,
  removeIndices,
} from '../testing/opensearch';
import type { OpenSearch } from './connect';
import { dayIndices } from './retention';
import { indexNames } from './index-day';

jest.setTimeout(300_000);

const DAY_MS = 86_400_000;

describeWithOpensearch('retention', () => {
  let prefix: string;
  let direct: OpenSearch;
  let proxy: FaultProxy;

  beforeEach(async () => {
    prefix = ownPrefix();
    direct = connectTo();
    proxy = await startFaultProxy();
  });

  afterEach(async () => {
    await proxy.down();
    await direct.close();
    await removeIndices(prefix);
  });

  /** An engine with an event on each of these days. */
  async function withDays(days: readonly number[], options: { ageMs: number; bytes?: number }) {
    const engine = openOpensearch({
      prefix,
      opensearch: connectTo(proxy.url),
      retention: { ageMs: options.ageMs, bytes: options.bytes },
      now: () => DAY_ONE_US / 1000 + 10 * DAY_MS,
    });
    for (const day of days) {
      const atUs = day * DAY_MS * 1000;
      const bytes = eventBytes({ auditId: `day-${day}`, atUs });
      await engine.append(await batchOf([bytes], { receivedAtUs: DAY_ONE_US + atUs }), 0n);
    }
    await refresh(direct, prefix);
    return engine;
  }

  async function days(): Promise<number[]> {
    const indices = await dayIndices({ opensearch: direct, names: indexNames(prefix) }, never);
    return indices.map(({ dayUs }) => (dayUs - DAY_ONE_US) / 1000 / DAY_MS);
  }

  test('removes the indices whose last event is too old, where the cluster has no policies', async () => {
    const engine = await withDays([0, 4, 5, 9], { ageMs: 3 * DAY_MS });
    await engine.maintain();
    // The last event of day 5 was received before the end of day 6, three days ago.
    expect(await days()).toEqual([9]);
    expect(engine.gauges()).toMatchObject({ segmentCount: 1, removedSegmentCount: 3 });
    expect(await allTexts(engine)).toHaveLength(1);
    await engine.close();
  });

  test('keeps what may be younger than the age by its receipt', async () => {
    const engine = await withDays([5, 6, 9], { ageMs: 3 * DAY_MS });
    await engine.maintain();
    expect(await days()).toEqual([6, 9]);
    await engine.close();
  });

  test('removes the oldest indices while they take too much, but not the one that is written to', async () => {
    const engine = await withDays([7, 8, 9], { ageMs: 100 * DAY_MS, bytes: 1 });
    await engine.maintain();
    expect(await days()).toEqual([9]);
    await engine.close();
  });

  test('is left to a policy where the cluster has Index State Management', async () => {
    const stored: { body?: { policy: { description?: string; states: unknown } } } = {};
    const puts: string[] = [];
    proxy.faults.plugin = (method, path, body) => {
      if (!path.startsWith('/_plugins/_ism/policies/')) return undefined;
      if (method === 'PUT') {
        puts.push(path);
        stored.body = JSON.parse(body) as NonNullable<typeof stored.body>;
        return { status: 201, body: { _id: 'x' } };
      }
      return stored.body
        ? { status: 200, body: { _seq_no: 7, _primary_term: 1, policy: stored.body.policy } }
        : {
            status: 404,
            body: { error: { type: 'status_exception', reason: 'none' }, status: 404 },
          };
    };
    const engine = await withDays([0, 9], { ageMs: 3 * DAY_MS });
    await engine.maintain();
    await engine.maintain();
    expect(await days()).toEqual([0, 9]);
    expect(puts).toEqual([`/_plugins/_ism/policies/auditing-${prefix}`]);
    expect(stored.body?.policy).toMatchObject({
      default_state: 'kept',
      states: [
        { transitions: [{ state_name: 'removed', conditions: { min_index_age: '6d' } }] },
        { name: 'removed', actions: [{ delete: {} }] },
      ],
      ism_template: [{ index_patterns: [`${prefix}-*`] }],
    });
    await engine.close();
    const longer = await withDays([], { ageMs: 30 * DAY_MS });
    await longer.maintain();
    expect(puts[1]).toMatch(/\?if_seq_no=7&if_primary_term=1$/);
    expect(JSON.stringify(stored.body)).toContain('33d');
    await longer.close();
  });

  test('leaves alone what is not called as our indices are', async () => {
    const path = `/${prefix}-not-a-day`;
    await direct.request({ method: 'PUT', path }, never);
    const engine = await withDays([9], { ageMs: DAY_MS, bytes: 1 });
    await engine.maintain();
    await direct.request({ method: 'GET', path }, never);
    await engine.close();
  });
});
