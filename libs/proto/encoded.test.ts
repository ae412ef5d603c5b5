import { encoded, serialized, writeOnce, writtenBytes } from './encoded';
import { KeptBatch } from './gen/auditing/v1/archive';
import { Block, Codec, EventBatch, Field, Verdicts } from './gen/auditing/v1/event';

const batchOf = (bytes: number): EventBatch =>
  EventBatch.create({
    receivedAtUs: 1.5,
    eventCount: 3,
    block: { codec: Codec.NONE, data: Buffer.alloc(bytes, 'x'), rawBytes: bytes },
    sliceBytes: [1, 300, 70_000],
    columns: [{ field: Field.VERB, values: ['a', 'ü'.repeat(100)], rows: [0, 1, 2] }],
  });

const plainly = (batch: EventBatch): Uint8Array => EventBatch.encode(batch).finish();

test('gives the bytes that a writer of its own gives, message after message', () => {
  for (const bytes of [100_000, 0, 5_000, 127, 128]) {
    const batch = batchOf(bytes);
    expect(encoded(EventBatch, batch)).toEqual(plainly(batch));
  }
});

test('what it gave is not changed by later messages', () => {
  const first = encoded(EventBatch, batchOf(1_000));
  encoded(EventBatch, EventBatch.create({ eventCount: 7 }));
  expect(first).toEqual(plainly(batchOf(1_000)));
});

test('after a message that cannot be written the next one is whole', () => {
  const bad = { ...batchOf(1_000), sliceBytes: [1, -1] };
  expect(() => encoded(EventBatch, bad)).toThrow('invalid uint32');
  expect(encoded(EventBatch, batchOf(10))).toEqual(plainly(batchOf(10)));
});

test('a huge message is written, and so are those after it', () => {
  const huge = batchOf(5 * 2 ** 20);
  expect(Buffer.compare(encoded(EventBatch, huge), plainly(huge))).toBe(0);
  expect(encoded(EventBatch, batchOf(10))).toEqual(plainly(batchOf(10)));
});

test('an encoder may encode another message on its way', () => {
  const block = Block.create({ codec: Codec.NONE, data: Buffer.from('inner'), rawBytes: 5 });
  const nesting: typeof EventBatch = {
    ...EventBatch,
    encode(batch, writer) {
      const outer = EventBatch.encode(batch, writer);
      return outer.uint32(34).bytes(encoded(Block, block));
    },
  };
  const { block: _, ...rest } = batchOf(0);
  const expected = [
    plainly({ ...rest, block: undefined }),
    EventBatch.encode(EventBatch.create({ block })).finish(),
  ];
  expect(Buffer.from(encoded(nesting, { ...rest, block: undefined }))).toEqual(
    Buffer.concat(expected),
  );
});

test('a part that was written once is put into other messages as it is, byte for byte as it would be written', () => {
  const verdicts = Verdicts.create({ ruleSetVersion: 'v'.repeat(300), ignoredCount: 7 });
  const kept = KeptBatch.create({ batch: batchOf(10), positions: [1, 2, 300] });
  const expected = KeptBatch.encode({ ...kept, verdicts }).finish();
  expect(writtenBytes(verdicts)).toBeUndefined();
  writeOnce(Verdicts, verdicts);
  const bytes = writtenBytes(verdicts);
  expect(bytes).toEqual(Verdicts.encode({ ...verdicts }).finish());
  writeOnce(Verdicts, verdicts);
  expect(writtenBytes(verdicts)).toBe(bytes);
  expect(encoded(KeptBatch, { ...kept, verdicts })).toEqual(expected);
});

test('a copy of a message that was written is written anew', () => {
  const verdicts = Verdicts.create({ ignoredCount: 7 });
  writeOnce(Verdicts, verdicts);
  expect(encoded(Verdicts, { ...verdicts, ignoredCount: 8 })).toEqual(
    Verdicts.encode(Verdicts.create({ ignoredCount: 8 })).finish(),
  );
  expect(verdicts).toEqual(Verdicts.create({ ignoredCount: 7 }));
});

test('gRPC gets the same bytes in a Buffer', () => {
  const bytes = serialized(EventBatch, batchOf(1_000));
  expect(Buffer.isBuffer(bytes)).toBe(true);
  expect(bytes).toEqual(Buffer.from(plainly(batchOf(1_000))));
});
