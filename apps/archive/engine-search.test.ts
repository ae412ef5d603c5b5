import { Match, SearchRequest, type SearchResponse } from '@auditing/proto/archive';
import { Field, Priority } from '@auditing/proto/event';

import { checkFacets, checkSearch } from './check-query';
import type { Engine } from './engine';
import { batchOf, eventBytes } from './testing/batches';
import { ENGINE_KINDS, type TestArchive } from './testing/engine-kinds';
import { found, never } from './testing/engines';

for (const kind of ENGINE_KINDS) {
  kind.describe(`the ${kind.name} engine:`, () => {
    let archive: TestArchive;
    let engine: Engine;

    beforeAll(async () => {
      archive = await kind.open();
      ({ engine } = archive);
      for (let batch = 0; batch < 20; batch += 1) {
        const events = [0, 1, 2, 3, 4].map((event) => {
          const number = batch * 5 + event;
          return eventBytes({
            auditId: `id-${number}`,
            atUs: number * 1e6,
            name: String(number),
            uri: `/api/v1/pods/${number % 10}?watch=${number % 2 === 0 ? 'true&x=1' : 'false'}`,
            note: number % 7 === 0 ? 'needle' : 'hay',
          });
        });
        await engine.append(await batchOf(events), 0n);
      }
    });

    afterAll(() => archive.remove());

    async function messages(
      request: Parameters<typeof SearchRequest.fromPartial>[0],
    ): Promise<SearchResponse[]> {
      const all: SearchResponse[] = [];
      for await (const one of engine.search(checkSearch(SearchRequest.fromPartial(request)), never))
        all.push(one);
      return all;
    }

    const needles = Array.from({ length: 15 }, (_, index) => String(98 - 7 * index));
    const names = (all: readonly SearchResponse[]): (string | undefined)[] =>
      all.flatMap(({ events }) => events.map(({ objectRef }) => objectRef?.name));

    test('a search through text gives its answer in order, page by page, whatever it gives early', async () => {
      expect(names(await messages({ query: { text: 'needle' } }))).toEqual(needles);
      expect(names(await messages({ query: { text: 'needle' }, offset: 3, limit: 5 }))).toEqual(
        needles.slice(3, 8),
      );
      const pages: (string | undefined)[] = [];
      let cursor = '';
      do {
        const page = await messages({ query: { text: 'needle' }, limit: 4, cursor });
        pages.push(...names(page));
        cursor = page.at(-1)?.nextCursor ?? '';
      } while (cursor !== '');
      expect(pages).toEqual(needles);
    });

    test('progress is told only if asked for, grows, and ends with what was found', async () => {
      const query = { text: 'needle' };
      expect((await messages({ query })).every(({ progress }) => progress === undefined)).toBe(
        true,
      );
      const all = await messages({ query, reportProgress: true });
      const progress = all.flatMap((one) => one.progress ?? []);
      const last = progress.at(-1);
      expect(last?.foundCount).toBe(15n);
      expect(last?.searchedCount).toBe(last?.candidateCount);
      // One engine's index knows the words of the text, the other's does not.
      expect([15n, 100n]).toContain(last?.searchedCount);
      const searched = progress.map(({ searchedCount }) => searchedCount);
      expect([...searched].sort((a, b) => Number(a - b))).toEqual(searched);
      expect(names(all)).toEqual(needles);
    });

    test('the request URI can be asked for and counted like any other field', async () => {
      const uri = '/api/v1/pods/4?watch=true&x=1';
      const condition = {
        field: Field.REQUEST_URI,
        match: Match.EXACT,
        values: [uri],
        negate: false,
      };
      expect((await found(engine, { query: { conditions: [condition] } })).events).toHaveLength(10);
      const others = { query: { conditions: [{ ...condition, negate: true }] }, countTotal: true };
      expect((await found(engine, others)).total).toBe(90n);
      const { facets, valueCount } = await engine.facets(
        checkFacets({ query: undefined, field: Field.REQUEST_URI, limit: 2 }),
        never,
      );
      expect(valueCount).toBe(10n);
      expect(facets).toEqual([
        { value: '/api/v1/pods/0?watch=true&x=1', count: 10n },
        { value: '/api/v1/pods/1?watch=false', count: 10n },
      ]);
    });

    test('every event is found by its audit id, its version and the priority of its rules', async () => {
      const of = (field: Field, value: string): Promise<{ events: readonly unknown[] }> =>
        found(engine, {
          query: { conditions: [{ field, match: Match.EXACT, values: [value], negate: false }] },
        });
      expect((await of(Field.AUDIT_ID, 'id-42')).events).toHaveLength(1);
      expect((await of(Field.AUDIT_ID, 'id-420')).events).toHaveLength(0);
      expect((await of(Field.API_VERSION, 'v1')).events).toHaveLength(100);
      expect((await of(Field.PRIORITY, Priority[Priority.DEBUG])).events).toHaveLength(100);
      expect((await of(Field.NAME, 'none such')).events).toHaveLength(0);
    });
  });
}
