import type { BatchId } from '@auditing/proto/event';
import fc from 'fast-check';

import { BatchMarks } from './batch-marks';

const EPOCH = '00000000000000aa';

function id(change: Partial<BatchId> = {}): BatchId {
  return { epoch: EPOCH, sequence: 1n, part: 0, firstEvent: 0, eventCount: 0, ...change };
}

test('what was marked is covered, nothing else', () => {
  const marks = new BatchMarks();
  marks.mark(id({ sequence: 5n, part: 2 }));
  expect(marks.coversAll(id({ sequence: 5n, part: 2 }))).toBe(true);
  expect(marks.covers(id({ sequence: 5n, part: 2 }), 1_000_000)).toBe(true);
  expect(marks.taken(id({ sequence: 5n, part: 1 }))).toEqual([]);
  expect(marks.taken(id({ sequence: 4n, part: 2 }))).toEqual([]);
  expect(marks.taken(id({ sequence: 5n, part: 2, epoch: 'bb' }))).toEqual([]);
});

test('halves of a part add up, in any order and overlapping', () => {
  const marks = new BatchMarks();
  marks.mark(id({ firstEvent: 50, eventCount: 25 }));
  marks.mark(id({ firstEvent: 0, eventCount: 25 }));
  expect(marks.taken(id())).toEqual([
    { first: 0, end: 25 },
    { first: 50, end: 75 },
  ]);
  expect(marks.coversAll(id({ firstEvent: 0, eventCount: 75 }))).toBe(false);
  marks.mark(id({ firstEvent: 20, eventCount: 30 }));
  expect(marks.taken(id())).toEqual([{ first: 0, end: 75 }]);
  expect(marks.coversAll(id())).toBe(false);
});

test('settled sequences are covered and cost nothing', () => {
  const marks = new BatchMarks();
  for (let sequence = 1n; sequence <= 1000n; sequence += 1n) marks.mark(id({ sequence }));
  const before = marks.snapshot().length;
  marks.settle(EPOCH, 1000n);
  expect(marks.snapshot().length).toBeLessThan(before / 50);
  expect(marks.coversAll(id({ sequence: 999n }))).toBe(true);
  expect(marks.coversAll(id({ sequence: 1000n }))).toBe(true);
  expect(marks.coversAll(id({ sequence: 1001n }))).toBe(false);
  marks.settle(EPOCH, 3n);
  expect(marks.coversAll(id({ sequence: 999n }))).toBe(true);
});

test('the least recently marked epoch is forgotten after 1024 of them', () => {
  const marks = new BatchMarks();
  const name = (n: number): string => n.toString(16).padStart(16, '0');
  for (let n = 0; n < 1024; n += 1) marks.mark(id({ epoch: name(n) }));
  marks.mark(id({ epoch: name(0), sequence: 2n }));
  marks.mark(id({ epoch: name(1024) }));
  expect(marks.coversAll(id({ epoch: name(0) }))).toBe(true);
  expect(marks.coversAll(id({ epoch: name(1) }))).toBe(false);
  expect(marks.coversAll(id({ epoch: name(1024) }))).toBe(true);
});

test('senders that never settle are forgotten from their oldest batch on, and the snapshot fits into 1 MiB', () => {
  const marks = new BatchMarks();
  const last = 2n ** 64n - 1n;
  const longest = { firstEvent: 4_000_000_000, eventCount: 200_000_000, part: 4_000_000_000 };
  for (let epoch = 0; epoch < 1024; epoch += 1) {
    const name = epoch.toString(16).padStart(16, '0');
    for (let sequence = last - 20n; sequence <= last; sequence += 1n) {
      marks.mark({ epoch: name, sequence, ...longest });
    }
  }
  expect(JSON.stringify(marks.snapshot().toString()).length).toBeLessThan(1024 * 1024);
  const newest = { epoch: (1023).toString(16).padStart(16, '0'), ...longest };
  expect(marks.coversAll({ ...newest, sequence: last })).toBe(true);
  expect(marks.coversAll({ ...newest, epoch: '0'.repeat(16), sequence: last - 20n })).toBe(false);
});

test('a snapshot of an unknown version is refused', () => {
  expect(() => BatchMarks.restore(Buffer.from('{"version":2,"epochs":[]}'))).toThrow(
    /expected version 1, got 2/,
  );
});

test('marks agree with a plain set of events, before and after a snapshot', () => {
  const step = fc.record({
    epoch: fc.constantFrom('a', 'b'),
    sequence: fc.bigInt({ min: 1n, max: 4n }),
    part: fc.nat({ max: 1 }),
    firstEvent: fc.nat({ max: 12 }),
    eventCount: fc.nat({ max: 6 }),
    settle: fc.option(fc.bigInt({ min: 0n, max: 4n }), { freq: 8 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const marks = new BatchMarks();
      const model = new Set<string>();
      const settled = new Map<string, bigint>();
      for (const { settle, ...batch } of steps) {
        marks.mark(batch);
        const end = batch.eventCount === 0 ? 20 : batch.firstEvent + batch.eventCount;
        for (let at = batch.firstEvent; at < end; at += 1)
          model.add(`${batch.epoch} ${batch.sequence} ${batch.part} ${at}`);
        if (settle === null) continue;
        marks.settle(batch.epoch, settle);
        if (settle > (settled.get(batch.epoch) ?? 0n)) settled.set(batch.epoch, settle);
      }
      const covered = (judge: (batch: BatchId, position: number) => boolean): string[] => {
        const found: string[] = [];
        for (const epoch of ['a', 'b']) {
          for (let sequence = 1n; sequence <= 4n; sequence += 1n) {
            for (let at = 0; at < 40; at += 1) {
              const batch = id({ epoch, sequence, part: at % 2 });
              if (judge(batch, at >> 1))
                found.push(`${epoch} ${sequence} ${batch.part} ${at >> 1}`);
            }
          }
        }
        return found;
      };
      const expected = covered(
        ({ epoch, sequence, part }, position) =>
          sequence < (settled.get(epoch) ?? 0n) ||
          model.has(`${epoch} ${sequence} ${part} ${position}`),
      );
      expect(covered((batch, position) => marks.covers(batch, position))).toEqual(expected);
      const restored = BatchMarks.restore(marks.snapshot());
      expect(covered((batch, position) => restored.covers(batch, position))).toEqual(expected);
    }),
  );
});
