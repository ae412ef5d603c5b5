import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

import { decodeBody } from '@auditing/audit-event/decode-body';
import { ARCHIVE_FIELDS } from '@auditing/audit-event/columns';
import { Match, Proof, Query } from '@auditing/proto/archive';
import { Field } from '@auditing/proto/event';

import type { Engine } from '../engine';
import { batchOf } from '../testing/batches';
import { allTexts, found, never, openEngine } from '../testing/engines';
import {
  connectTo,
  describeWithOpensearch,
  openOpensearch,
  ownPrefix,
  refresh,
  removeIndices,
} from '../testing/opensearch';

jest.setTimeout(300_000);

/** Bodies recorded from real API servers, a folder for each set of them. */
const RECORDED = join(__dirname, '../../../libs/audit-event/testdata');

/** Events of each set: so few that every one can be read again for every question. */
const SET_EVENTS_MAX = 40;

/** The first events of every set. */
async function recordedEvents(): Promise<Buffer[][]> {
  const sets = readdirSync(RECORDED).sort();
  return Promise.all(
    sets.map(async (set) => {
      const [first = ''] = readdirSync(join(RECORDED, set)).sort();
      const { events } = await decodeBody(gunzipSync(readFileSync(join(RECORDED, set, first))));
      return events.slice(0, SET_EVENTS_MAX).map(({ bytes }) => Buffer.from(bytes));
    }),
  );
}

describeWithOpensearch('the recorded bodies', () => {
  const prefix = ownPrefix();
  let directory: string;
  let embedded: Engine;
  let opensearch: Engine;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'archive-'));
    embedded = await openEngine({ directory });
    opensearch = openOpensearch({ prefix });
    for (const events of await recordedEvents()) {
      const batch = await batchOf(events);
      const { archivedCount, duplicateCount } = await embedded.append(batch, 0n);
      expect(await opensearch.append(batch, 0n)).toEqual({ archivedCount, duplicateCount });
    }
    const direct = connectTo();
    await refresh(direct, prefix);
    await direct.close();
  });

  afterAll(async () => {
    await embedded.close();
    await opensearch.close();
    await rm(directory, { recursive: true });
    await removeIndices(prefix);
  });

  test('lie in both engines byte for byte, in the same order', async () => {
    const texts = await allTexts(embedded, 'latin1');
    expect(texts.length).toBeGreaterThan(100);
    expect(await allTexts(opensearch, 'latin1')).toEqual(texts);
  });

  test.each(ARCHIVE_FIELDS.map((field) => [Field[field], field] as const))(
    'are counted alike by %s',
    async (_, field) => {
      const request = { query: Query.create(), field, limit: 1_000 };
      const expected = await embedded.facets(request, never);
      expect(await opensearch.facets(request, never)).toEqual(expected);
      const [first] = expected.facets;
      const values = [first?.value ?? ''];
      const part = values.map((value) => value.slice(0, 3));
      for (const condition of [
        { field, match: Match.EXACT, values, negate: false },
        { field, match: Match.EXACT, values: [''], negate: true },
        { field, match: Match.CONTAINS, values: part, negate: false },
        {
          field,
          match: Match.PREFIX,
          values: part.map((text) => text.toUpperCase()),
          negate: true,
        },
      ]) {
        const query = Query.create({ conditions: [condition] });
        expect(await opensearch.statistics(query, never)).toEqual(
          await embedded.statistics(query, never),
        );
      }
    },
  );

  test.each(['', 'delete', '"code":403', '1'])(
    'are counted alike over time, and by request, where they hold %p',
    async (text) => {
      const query = Query.create({ text });
      const request = { query, intervalSeconds: 3 * 3_600_000 };
      expect(await opensearch.histogram(request, never)).toEqual(
        await embedded.histogram(request, never),
      );
      expect(await opensearch.statistics(query, never)).toEqual(
        await embedded.statistics(query, never),
      );
    },
  );

  test('are verified event by event, and the result says what that does not prove', async () => {
    const { total } = await found(embedded, { countTotal: true });
    let result;
    for await (const part of opensearch.verify({ checkpoints: [], publicKey: '' }, never)) {
      ({ result } = part);
    }
    expect(result).toMatchObject({ proof: Proof.EVENTS, eventCount: total, problems: [] });
    expect(result?.statement).toMatch(/does not prove that nothing was removed or added/);
    const checked = opensearch.verify({ checkpoints: ['x'], publicKey: '' }, never);
    await expect(checked[Symbol.asyncIterator]().next()).rejects.toThrow(/no chain/);
    expect(await opensearch.stats(never)).toMatchObject({
      engine: 'opensearch',
      eventCount: total,
    });
  });
});
