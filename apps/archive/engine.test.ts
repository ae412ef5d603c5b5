import { eventKey } from '@auditing/audit-event/event-key';
import { Order, Query } from '@auditing/proto/archive';
import { Field, type OutputPart } from '@auditing/proto/event';

import { batchOf, DAY_ONE_US, eventBytes } from './testing/batches';
import { ENGINE_KINDS, type TestArchive } from './testing/engine-kinds';
import { allTexts, found, never } from './testing/engines';

const EVERYTHING = Query.create();

function events(count: number, from = 0): Buffer[] {
  return Array.from({ length: count }, (_, index) =>
    eventBytes({ auditId: `id-${from + index}`, atUs: (from + index) * 1e6 }),
  );
}

/** Events that have neither an audit id nor a time, all alike. */
function anonymous(count: number): Buffer[] {
  return Array.from({ length: count }, () => eventBytes({}));
}

for (const kind of ENGINE_KINDS) {
  kind.describe(`the ${kind.name} engine:`, () => {
    let archive: TestArchive;

    beforeEach(async () => {
      archive = await kind.open();
    });

    afterEach(async () => {
      await archive.remove();
    });

    async function append(bytes: readonly Buffer[]): Promise<void> {
      await archive.engine.append(await batchOf(bytes), 0n);
    }

    test('what was appended is found, byte for byte, with its key, rules and time', async () => {
      const [bytes] = events(1);
      const sent = await batchOf([bytes!], { rules: ['a.b', 'c.d'] });
      expect(await archive.engine.append(sent, 0n)).toMatchObject({
        archivedCount: 1,
        duplicateCount: 0,
      });
      const { events: answer } = await found(archive.engine, { includeRaw: true });
      expect(answer).toHaveLength(1);
      expect(answer[0]).toMatchObject({
        key: eventKey(bytes!),
        raw: bytes,
        auditId: 'id-0',
        rules: ['a.b', 'c.d'],
        requestReceivedTimestamp: { seconds: 1_767_225_600n },
        receivedAt: { seconds: 1_767_225_600n },
      });
    });

    test('a message that was left to be made is made of the archived event', async () => {
      const output: OutputPart[] = [
        { part: { $case: 'text', value: 'who: ' } },
        { part: { $case: 'path', value: 'User.username' } },
        { part: { $case: 'text', value: ', ' } },
        { part: { $case: 'defaultText', value: true } },
        { part: { $case: 'namePart', value: 2 } },
      ];
      const event = (auditID: string, name: string) =>
        Buffer.from(
          JSON.stringify({
            ...{ auditID, verb: 'create', user: { username: 'eve' } },
            ...{ objectRef: { resource: 'devops', name } },
            requestReceivedTimestamp: '2026-01-01T00:00:00.000000Z',
          }),
        );
      const bytes = [event('a', 'ci:prod'), event('b', 'x'), event('c', '\ud800')];
      const rules = ['a.b', 'c.d'];
      const sent = await batchOf(bytes, { rules, output, workspace: 'team' });
      sent.verdicts!.verdicts[1]!.findings[0]!.message = 'said';
      await archive.engine.append(sent, 0n);
      const { events: answer } = await found(archive.engine, {});
      const messages = new Map(answer.map(({ auditId, message }) => [auditId, message]));
      expect(messages.get('a')).toBe("who: eve, eve create devops 'ci:prod' in Workspace teamprod");
      expect(messages.get('b')).toBe('said');
      // As every other text: what no UTF-8 can hold is replaced.
      expect(messages.get('c')).toBe("who: eve, eve create devops '\ufffd' in Workspace team");
    });

    test('an archive without events answers every question', async () => {
      const { engine } = archive;
      expect(await found(engine, { countTotal: true })).toEqual({
        events: [],
        nextCursor: '',
        total: 0n,
      });
      expect(await engine.statistics(EVERYTHING, never)).toEqual({
        eventCount: 0n,
        requestCount: 0n,
      });
      const hour = { query: EVERYTHING, intervalSeconds: 3_600 };
      expect(await engine.histogram(hour, never)).toEqual({ buckets: [], total: 0n });
      const users = { query: EVERYTHING, field: Field.USER, limit: 5 };
      expect(await engine.facets(users, never)).toMatchObject({ facets: [] });
      expect(await engine.get(Buffer.alloc(32), never)).toBeUndefined();
    });

    test('an event is got by its key, after the archive was opened anew too', async () => {
      const all = [...events(20), ...anonymous(1)];
      await append(all);
      archive = await archive.reopen();
      for (const bytes of [all[0]!, all[19]!, all[20]!]) {
        expect((await archive.engine.get(eventKey(bytes), never))?.raw).toEqual(bytes);
      }
      expect(await archive.engine.get(Buffer.alloc(32), never)).toBeUndefined();
    });

    test('pages by cursor hold while events are stored', async () => {
      const all = events(60);
      for (let at = 0; at < 40; at += 10) await append(all.slice(at, at + 10));
      const seen: string[] = [];
      let cursor = '';
      let stored = 40;
      do {
        const page = await found(archive.engine, { limit: 7, cursor });
        seen.push(...page.events.map(({ auditId }) => auditId));
        cursor = page.nextCursor;
        if (stored < 60) await append([all[stored++]!]);
      } while (cursor !== '');
      expect(seen).toEqual(Array.from({ length: 40 }, (_, index) => `id-${39 - index}`));
    });

    test('a cursor is refused that belongs to another search, or is made up', async () => {
      await append(events(5));
      const { nextCursor } = await found(archive.engine, { limit: 2 });
      const oldest = { limit: 2, cursor: nextCursor, order: Order.OLDEST_FIRST };
      await expect(found(archive.engine, oldest)).rejects.toThrow(/another query or order/);
      await expect(found(archive.engine, { cursor: 'abc' })).rejects.toThrow(/next_cursor/);
    });

    test('events that come late and out of order are found in the order of their time', async () => {
      const all = events(60);
      const order = all.map((_, index) => (index * 37) % 60);
      for (let at = 0; at < 60; at += 6) {
        await append(order.slice(at, at + 6).map((index) => all[index]!));
      }
      expect(await allTexts(archive.engine)).toEqual(all.map(String));
      const newest = await found(archive.engine, { limit: 3, offset: 2, includeRaw: true });
      expect(newest.events.map(({ raw }) => raw.toString())).toEqual(
        [57, 56, 55].map((index) => String(all[index])),
      );
    });

    test('of events of the same time the one stored last comes first', async () => {
      const same = Array.from({ length: 30 }, (_, index) =>
        eventBytes({ auditId: `id-${index}`, atUs: 0 }),
      );
      for (let at = 0; at < 30; at += 10) await append(same.slice(at, at + 10));
      expect((await found(archive.engine, { limit: 1 })).events[0]?.auditId).toBe('id-29');
      const oldest = await found(archive.engine, { limit: 1, order: Order.OLDEST_FIRST });
      expect(oldest.events[0]?.auditId).toBe('id-0');
    });

    test('text is searched in the bytes of the event, whatever stands around it', async () => {
      const notes = [
        'a needle ä',
        'needless',
        'pinneedle',
        'NEEDLE',
        'nee dle',
        `${'x'.repeat(300)}needle`,
      ];
      await append(notes.map((note, at) => eventBytes({ auditId: `id-${at}`, note })));
      const texts: [string, number[]][] = [
        ['needle', [0, 1, 2, 5]],
        ['a needle ä', [0]],
        ['needle ä', [0]],
        [' needle', [0]],
        ['NEEDLE', [3]],
        ['e d', [4]],
        ['ä', [0]],
        ['xneedle"', [5]],
        ['"id-3"', [3]],
        ['no such text', []],
      ];
      for (const [text, wanted] of texts) {
        const query = { text };
        const { events: fits, total } = await found(archive.engine, { query, countTotal: true });
        expect([text, fits.map(({ auditId }) => Number(auditId.slice(3))).sort()]).toEqual([
          text,
          wanted,
        ]);
        expect(total).toBe(BigInt(wanted.length));
      }
    });

    test('an event is stored once, however often and in whatever company it comes', async () => {
      const all = events(6);
      await append(all.slice(0, 3));
      const again = await batchOf([all[5]!, all[1]!, all[3]!, all[3]!, all[2]!]);
      expect(await archive.engine.append(again, 0n)).toMatchObject({
        archivedCount: 2,
        duplicateCount: 3,
      });
      expect(await allTexts(archive.engine)).toEqual(
        [0, 1, 2, 3, 5].map((index) => String(all[index])),
      );
    });

    test('the same events sent at once by several streams are stored once', async () => {
      const all = events(10);
      const batches = await Promise.all([batchOf(all), batchOf(all), batchOf(all.slice(4))]);
      const answers = await Promise.all(batches.map((batch) => archive.engine.append(batch, 0n)));
      expect(answers.reduce((sum, { archivedCount }) => sum + archivedCount, 0)).toBe(10);
      expect(await allTexts(archive.engine)).toEqual(all.map(String));
    });

    test('events without audit id and time are kept apart, but a batch sent again is stored once', async () => {
      const sent = await batchOf(anonymous(3));
      const answers = await Promise.all([
        archive.engine.append(sent, 0n),
        archive.engine.append(sent, 0n),
      ]);
      expect(answers.map(({ archivedCount }) => archivedCount).reduce((a, b) => a + b)).toBe(3);
      await append(anonymous(2));
      archive = await archive.reopen();
      expect(await archive.engine.append(sent, 0n)).toMatchObject({
        archivedCount: 0,
        duplicateCount: 3,
      });
      expect(await allTexts(archive.engine)).toHaveLength(5);
    });

    test('ranges of a part that overlap add up to the part', async () => {
      const all = anonymous(10);
      const range = async (firstEvent: number, eventCount: number) =>
        archive.engine.append(
          await batchOf(all.slice(firstEvent, firstEvent + eventCount), {
            id: { sequence: 1_000_000n, firstEvent, eventCount },
          }),
          0n,
        );
      expect(await range(0, 5)).toMatchObject({ archivedCount: 5 });
      expect(await range(3, 4)).toMatchObject({ archivedCount: 2, duplicateCount: 2 });
      archive = await archive.reopen();
      expect(await range(0, 10)).toMatchObject({ archivedCount: 3, duplicateCount: 7 });
      expect(await range(0, 10)).toMatchObject({ archivedCount: 0, duplicateCount: 10 });
    });

    test('a batch of a settled sequence that comes late is a duplicate', async () => {
      const late = await batchOf(anonymous(1), { id: { sequence: 2_000_000n } });
      const settling = await batchOf(anonymous(1), { id: { sequence: 2_000_009n } });
      await archive.engine.append(settling, 2_000_005n);
      expect(await archive.engine.append(late, 0n)).toMatchObject({
        archivedCount: 0,
        duplicateCount: 1,
      });
    });

    test('a block that cannot be read is refused and hides nothing', async () => {
      const all = events(2);
      const broken = await batchOf(all);
      broken.batch!.block!.data = Buffer.from('no zstd frame');
      const answers = await Promise.allSettled([
        archive.engine.append(broken, 0n),
        batchOf(all).then((good) => archive.engine.append(good, 0n)),
      ]);
      expect(answers[0]).toMatchObject({ status: 'rejected', reason: { code: 3 } });
      expect(answers[1]).toMatchObject({ status: 'fulfilled', value: { archivedCount: 2 } });
    });

    test('a histogram has buckets of any width, and refuses to make too many', async () => {
      const times = [0, 59, 60, 61, 3_599, 3_600, 90_000];
      await append(
        times.map((second, at) => eventBytes({ auditId: `id-${at}`, atUs: second * 1e6 })),
      );
      for (const intervalSeconds of [1, 60, 900, 3_600, 86_400, 604_800]) {
        const request = { query: EVERYTHING, intervalSeconds };
        const start = (second: number): number =>
          Math.floor((DAY_ONE_US / 1e6 + second) / intervalSeconds) * intervalSeconds;
        if (intervalSeconds === 1) {
          await expect(archive.engine.histogram(request, never)).rejects.toThrow(/10000 buckets/);
          continue;
        }
        const { buckets, total } = await archive.engine.histogram(request, never);
        expect(total).toBe(BigInt(times.length));
        const length = (start(90_000) - start(0)) / intervalSeconds + 1;
        expect(
          buckets.map((bucket) => [Number(bucket.start?.seconds), Number(bucket.count)]),
        ).toEqual(
          Array.from({ length }, (_, at) => {
            const second = start(0) + at * intervalSeconds;
            return [second, times.filter((time) => start(time) === second).length];
          }),
        );
      }
    });

    test('a query that is given up ends', async () => {
      await append(events(10));
      await expect(archive.engine.statistics(EVERYTHING, AbortSignal.abort())).rejects.toThrow(
        /gave up/,
      );
    });
  });
}
