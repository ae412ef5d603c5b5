import { Match, Query } from '@auditing/proto/archive';
import { Field, type AuditEvent } from '@auditing/proto/event';

import type { Engine } from './engine';
import { batchOf, DAY_ONE_US, eventBytes } from './testing/batches';
import { ENGINE_KINDS, type TestArchive } from './testing/engine-kinds';
import { never } from './testing/engines';

for (const kind of ENGINE_KINDS) {
  kind.describe(`the ${kind.name} engine:`, () => {
    let archive: TestArchive;
    let engine: Engine;

    beforeEach(async () => {
      archive = await kind.open();
      ({ engine } = archive);
    });

    afterEach(() => archive.remove());

    async function append(names: readonly string[]): Promise<void> {
      await engine.append(
        await batchOf(names.map((name) => eventBytes({ name, auditId: name, atUs: 1 }))),
        0n,
      );
    }

    /** The next events of a tail that goes on behind a token. */
    async function next(
      count: number,
      resumeToken: string,
      query = Query.create(),
    ): Promise<AuditEvent[]> {
      const events: AuditEvent[] = [];
      for await (const event of engine.tail({ query, includeRaw: false, resumeToken }, never)) {
        events.push(event);
        if (events.length === count) break;
      }
      return events;
    }

    const names = (events: readonly AuditEvent[]): (string | undefined)[] =>
      events.map(({ objectRef }) => objectRef?.name);

    test('a tail goes on behind the event whose token it is given, within a batch and across segments', async () => {
      const { resumeToken } = await engine.stats(never);
      const stored: string[] = [];
      for (let batch = 0; batch < 20; batch += 1) {
        const batchNames = [0, 1, 2].map((event) => `${batch}-${event}`);
        await append(batchNames);
        stored.push(...batchNames);
      }
      const all = await next(60, resumeToken);
      expect(names(all)).toEqual(stored);
      for (const place of [0, 1, 19, 40, 58]) {
        expect(names(await next(1, all[place]!.resumeToken))).toEqual([stored[place + 1]]);
      }
    });

    test('the token of Stats gives what is stored after it, with the filters of the tail', async () => {
      await append(['before']);
      const { resumeToken } = await engine.stats(never);
      await append(['other', 'wanted', 'other too']);
      const query = Query.create({
        conditions: [{ field: Field.NAME, match: Match.EXACT, values: ['wanted'], negate: false }],
      });
      expect(names(await next(1, resumeToken, query))).toEqual(['wanted']);
    });

    test('a token that no archive gave is refused', async () => {
      await expect(next(1, 'x')).rejects.toThrow(/resume_token: /);
    });

    test('statistics tell how much there is and of which time', async () => {
      expect(await engine.stats(never)).toMatchObject({ eventCount: 0n, oldestEvent: undefined });
      await engine.append(
        await batchOf([eventBytes({ atUs: 5e6 }), eventBytes({ atUs: 9e6 })]),
        0n,
      );
      const seconds = BigInt(DAY_ONE_US / 1e6);
      expect(await engine.stats(never)).toMatchObject({
        eventCount: 2n,
        oldestEvent: { seconds: seconds + 5n },
        newestEvent: { seconds: seconds + 9n },
        newestReceivedAt: { seconds },
      });
    });
  });
}
