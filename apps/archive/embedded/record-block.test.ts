import { KeptBatch } from '@auditing/proto/archive';
import { Codec } from '@auditing/proto/event';
import fc from 'fast-check';

import { batchOf, eventBytes } from '../testing/batches';
import { encodeRecord } from './log-record';
import { storedRecord } from './record-reader';
import { batchIn, blockOf } from './record-block';

async function recordOf(count: number): Promise<Buffer> {
  const events = Array.from({ length: count }, (_, index) =>
    eventBytes({ auditId: `id-${index}` }),
  );
  const kept = await batchOf(events);
  return Buffer.from((await encodeRecord(kept, (await storedRecord(kept)).events)).data);
}

test.each([1, 2, 40, 2000])(
  'the block of a record of %d events is what protobuf says',
  async (count) => {
    const record = await recordOf(count);
    expect(blockOf(record)).toEqual(KeptBatch.decode(record).batch?.block);
  },
);

test.each([0, 1, 40, 2000])(
  'the batch of a record of %d events is what protobuf says',
  async (count) => {
    const record = await recordOf(count);
    expect(batchIn(record)).toEqual(KeptBatch.decode(record).batch);
  },
);

test('a record without a batch has none, and what lies behind an unknown field is found', () => {
  expect(batchIn(Buffer.alloc(0))).toBeUndefined();
  const batch = Buffer.from(
    KeptBatch.encode(KeptBatch.fromPartial({ batch: { eventCount: 3 } })).finish(),
  );
  // Field 1000 of each wire type.
  const unknown = Buffer.from('c03e05c13e0102030405060708c23e0161c53e01020304', 'hex');
  expect(batchIn(Buffer.concat([unknown, batch, unknown]))).toEqual(KeptBatch.decode(batch).batch);
});

test('a record whose end is missing is refused, as protobuf refuses it', async () => {
  const record = await recordOf(40);
  for (const end of [1, 3, record.length - 1]) {
    expect(() => KeptBatch.decode(record.subarray(0, end))).toThrow();
    expect(() => batchIn(record.subarray(0, end))).toThrow();
  }
});

test('a batch without a block, or with an empty one, is left to protobuf', () => {
  const records = [
    KeptBatch.create({}),
    KeptBatch.fromPartial({ batch: { eventCount: 3 } }),
    KeptBatch.fromPartial({ batch: { block: { codec: Codec.NONE, rawBytes: 0 } } }),
  ];
  for (const record of records)
    expect(blockOf(Buffer.from(KeptBatch.encode(record).finish()))).toBeUndefined();
});

test('bytes that are no record, or a part of one, give a block that lies in them, or none', async () => {
  const record = await recordOf(3);
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array)),
    fc.nat({ max: record.length - 1 }).map((end) => record.subarray(0, end)),
    fc
      .tuple(fc.nat({ max: record.length - 1 }), fc.integer({ min: 1, max: 255 }))
      .map(([place, flip]) => {
        const damaged = Buffer.from(record);
        damaged.writeUInt8(damaged.readUInt8(place) ^ flip, place);
        return damaged;
      }),
  );
  fc.assert(
    fc.property(bytes, (some) => {
      const block = blockOf(some);
      if (block !== undefined) expect(some.includes(block.data)).toBe(true);
    }),
    { numRuns: 2000 },
  );
});
