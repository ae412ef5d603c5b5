import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { eventKey } from '@auditing/audit-event/event-key';
import { Match, Order } from '@auditing/proto/archive';
import { Field } from '@auditing/proto/event';

import { batchOf, eventBytes } from '../testing/batches';
import { allTexts, found, never, openEngine } from '../testing/engines';
import type { EmbeddedEngine } from './embedded-engine';

let directory: string;
let engine: EmbeddedEngine;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'archive-'));
  engine = await openEngine({ directory });
});

afterEach(async () => {
  await engine.close();
  await rm(directory, { recursive: true });
});

async function reopen(): Promise<void> {
  await engine.close();
  engine = await openEngine({ directory });
}

function events(count: number, from = 0): Buffer[] {
  return Array.from({ length: count }, (_, index) =>
    eventBytes({ auditId: `id-${from + index}`, atUs: (from + index) * 1e6 }),
  );
}

test('what was appended is found, byte for byte, with its key, rules and time', async () => {
  const [bytes] = events(1);
  const appended = await engine.append(await batchOf([bytes!], { rules: ['a.b', 'c.d'] }), 0n);
  expect(appended).toMatchObject({ archivedCount: 1, duplicateCount: 0 });
  const {
    events: [event],
  } = await found(engine, { includeRaw: true });
  expect(event).toMatchObject({
    key: eventKey(bytes!),
    raw: bytes,
    auditId: 'id-0',
    rules: ['a.b', 'c.d'],
    requestReceivedTimestamp: { seconds: 1_767_225_600n },
    receivedAt: { seconds: 1_767_225_600n },
  });
});

test('batches that wait together end at the limit of a segment, as those do that come one by one', async () => {
  const all = events(95);
  const batches = await Promise.all(
    Array.from({ length: 19 }, (_, at) => batchOf(all.slice(at * 5, at * 5 + 5))),
  );
  await Promise.all(batches.map((batch) => engine.append(batch, 0n)));
  expect(engine.gauges().segmentCount).toBe(5);
  expect(await allTexts(engine)).toEqual(all.map(String));
});

test('events of many segments are found after the archive was opened anew, each once', async () => {
  const all = events(95);
  for (let at = 0; at < all.length; at += 5)
    await engine.append(await batchOf(all.slice(at, at + 5)), 0n);
  expect(engine.gauges().segmentCount).toBe(5);
  await reopen();
  expect(await allTexts(engine)).toEqual(all.map(String));
  await engine.append(await batchOf(events(1, 95)), 0n);
  expect((await found(engine, { limit: 1 })).events[0]?.auditId).toBe('id-95');
});

test('an event is got by its key from the current and from sealed segments', async () => {
  const all = events(50);
  for (let at = 0; at < all.length; at += 10)
    await engine.append(await batchOf(all.slice(at, at + 10)), 0n);
  for (const bytes of [all[0]!, all[49]!, all[20]!]) {
    expect((await engine.get(eventKey(bytes)))?.raw).toEqual(bytes);
  }
  expect(await engine.get(Buffer.alloc(32))).toBeUndefined();
});

test('pages by cursor hold while events are stored', async () => {
  const all = events(60);
  for (let at = 0; at < 40; at += 10)
    await engine.append(await batchOf(all.slice(at, at + 10)), 0n);
  const seen: string[] = [];
  let cursor = '';
  let stored = 40;
  do {
    const page = await found(engine, { limit: 7, cursor });
    seen.push(...page.events.map(({ auditId }) => auditId));
    cursor = page.nextCursor;
    if (stored < 60) await engine.append(await batchOf([all[stored++]!]), 0n);
  } while (cursor !== '');
  expect(seen).toEqual(Array.from({ length: 40 }, (_, index) => `id-${39 - index}`));
});

test('a cursor of another query is refused', async () => {
  await engine.append(await batchOf(events(5)), 0n);
  const { nextCursor } = await found(engine, { limit: 2 });
  await expect(
    found(engine, { limit: 2, order: Order.OLDEST_FIRST, cursor: nextCursor }),
  ).rejects.toThrow(/another query or order/);
  await expect(found(engine, { cursor: 'nonsense' })).rejects.toThrow(/next_cursor/);
});

test('events that come late and out of order are found in the order of their time', async () => {
  const all = events(60);
  const order = all.map((_, index) => (index * 37) % 60);
  for (let at = 0; at < 60; at += 6) {
    await engine.append(await batchOf(order.slice(at, at + 6).map((index) => all[index]!)), 0n);
  }
  expect(await allTexts(engine)).toEqual(all.map(String));
  const newest = await found(engine, { limit: 3, offset: 2, includeRaw: true });
  expect(newest.events.map(({ raw }) => raw.toString())).toEqual(
    [57, 56, 55].map((index) => String(all[index])),
  );
});

test('text is searched in the bytes of the event', async () => {
  await engine.append(
    await batchOf([eventBytes({ note: 'needle ä' }), eventBytes({ note: 'hay' })]),
    0n,
  );
  expect((await found(engine, { query: { text: 'needle ä' }, countTotal: true })).total).toBe(1n);
  expect((await found(engine, { query: { text: 'NEEDLE' }, countTotal: true })).total).toBe(0n);
});

test('a query that takes too long is ended, and one that is given up', async () => {
  await engine.append(await batchOf(events(10)), 0n);
  await engine.close();
  engine = await openEngine({ directory, queryTimeoutMs: -1 });
  await expect(found(engine, {})).rejects.toThrow(/longer than/);
  await expect(
    engine.statistics(
      { start: undefined, end: undefined, conditions: [], text: '', scope: undefined },
      AbortSignal.abort(),
    ),
  ).rejects.toThrow();
});

test('listeners get what is stored from now on, with their filters', async () => {
  await engine.append(await batchOf([eventBytes({ user: 'before' })]), 0n);
  const ending = new AbortController();
  const query = {
    start: undefined,
    end: undefined,
    text: '',
    scope: undefined,
    conditions: [{ field: Field.USER, match: Match.EXACT, values: ['alice'], negate: false }],
  };
  const got: string[] = [];
  const listening = (async () => {
    for await (const event of engine.tail(
      { query, includeRaw: false, resumeToken: '' },
      ending.signal,
    )) {
      got.push(event.objectRef?.name ?? '');
      if (got.length === 40) return;
    }
  })();
  await new Promise(setImmediate);
  for (let index = 0; index < 40; index += 1) {
    const name = String(index);
    await engine.append(
      await batchOf([eventBytes({ user: 'alice', name }), eventBytes({ user: 'bob', name })]),
      0n,
    );
  }
  await listening;
  expect(got).toEqual(Array.from({ length: 40 }, (_, index) => String(index)));
  const request = { query, includeRaw: false, resumeToken: '' };
  const other = engine.tail(request, ending.signal)[Symbol.asyncIterator]();
  const next = other.next();
  ending.abort();
  await expect(next).rejects.toThrow(/gave up/);
  expect(never.aborted).toBe(false);
});

test('of events of the same time the one stored last comes first, across segments', async () => {
  const same = Array.from({ length: 60 }, (_, index) =>
    eventBytes({ auditId: `id-${index}`, atUs: 0 }),
  );
  for (let at = 0; at < 60; at += 20) {
    await engine.append(await batchOf(same.slice(at, at + 20)), 0n);
  }
  expect((await found(engine, { limit: 1 })).events[0]?.auditId).toBe('id-59');
  const oldest = await found(engine, { limit: 1, order: Order.OLDEST_FIRST });
  expect(oldest.events[0]?.auditId).toBe('id-0');
});
