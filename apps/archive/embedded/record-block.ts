import { codecFromJSON, EventBatch, type Block } from '@auditing/proto/event';

/** Wire types of protobuf that a record uses. */
const VARINT = 0;
const EIGHT_BYTES = 1;
const LENGTH_DELIMITED = 2;
const FOUR_BYTES = 5;

/** Numbers of the fields: archive.proto, event.proto. */
const KEPT_BATCH = 1;
const BATCH_BLOCK = 4;
const BLOCK_CODEC = 1;
const BLOCK_DATA = 2;
const BLOCK_RAW_BYTES = 3;

/**
 * The block of a record of the log, its data as a view, and nothing else: a search looks into the blocks of thousands of
 * records whose lengths and keys it never needs, and decoding them costs a tenth of expanding the block. Undefined if the
 * record is not written as ours are: then protobuf itself is to be asked.
 */
export function blockOf(record: Buffer): Block | undefined {
  const batch = fieldOf(record, KEPT_BATCH);
  const block = batch && fieldOf(batch, BATCH_BLOCK);
  const data = block && fieldOf(block, BLOCK_DATA);
  const codec = block && varintOf(block, BLOCK_CODEC);
  const rawBytes = block && varintOf(block, BLOCK_RAW_BYTES);
  if (data === undefined || codec === undefined || rawBytes === undefined) return undefined;
  return { codec: codecFromJSON(codec), data, rawBytes };
}

/**
 * The batch of a record, and nothing else of it: as `KeptBatch.decode` gives it, whose module brings gRPC along, some 6 MiB
 * in each thread that searches. Undefined if the record has none. Throws if the record cannot be read.
 */
export function batchIn(record: Buffer): EventBatch | undefined {
  let batch: EventBatch | undefined;
  for (let at = 0; at < record.length;) {
    const field = fieldAt(record, at);
    if (field === undefined) throw new RangeError(`the record cannot be read from byte ${at} on`);
    if (field.number === KEPT_BATCH && field.type === LENGTH_DELIMITED)
      batch = EventBatch.decode(record.subarray(field.begin, field.end));
    at = field.end;
  }
  return batch;
}

function fieldOf(message: Buffer, wanted: number): Buffer | undefined {
  const found = lookUp(message, wanted);
  return found?.type === LENGTH_DELIMITED ? message.subarray(found.begin, found.end) : undefined;
}

function varintOf(message: Buffer, wanted: number): number | undefined {
  const found = lookUp(message, wanted);
  return found?.type === VARINT ? varintAt(message, found.begin)?.value : undefined;
}

interface FieldPlace {
  readonly type: number;
  readonly begin: number;
  readonly end: number;
}

/** Where the first field with this number lies; undefined if there is none, or another field cannot be read. */
function lookUp(message: Buffer, wanted: number): FieldPlace | undefined {
  for (let at = 0; at < message.length;) {
    const field = fieldAt(message, at);
    if (field === undefined || field.number === wanted) return field;
    at = field.end;
  }
  return undefined;
}

/** The field whose tag is at a place; undefined if it cannot be read. */
function fieldAt(
  message: Buffer,
  at: number,
): (FieldPlace & { readonly number: number }) | undefined {
  const tag = varintAt(message, at);
  if (tag === undefined) return undefined;
  const place = placeOf(message, tag.value & 7, tag.end);
  if (place === undefined || place.end > message.length) return undefined;
  return { ...place, number: tag.value >>> 3 };
}

function placeOf(message: Buffer, type: number, begin: number): FieldPlace | undefined {
  switch (type) {
    case EIGHT_BYTES:
      return { type, begin, end: begin + 8 };
    case FOUR_BYTES:
      return { type, begin, end: begin + 4 };
    case VARINT: {
      const varint = varintAt(message, begin);
      return varint && { type, begin, end: varint.end };
    }
    case LENGTH_DELIMITED: {
      const length = varintAt(message, begin);
      return length && { type, begin: length.end, end: length.end + length.value };
    }
    default:
      return undefined;
  }
}

/** A number of 35 bits at most. */
function varintAt(
  message: Buffer,
  at: number,
): { readonly value: number; readonly end: number } | undefined {
  let value = 0;
  for (let place = 0; place < 5; place += 1) {
    const byte = message[at + place];
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * 2 ** (7 * place);
    if (byte < 0x80) return { value, end: at + place + 1 };
  }
  return undefined;
}
