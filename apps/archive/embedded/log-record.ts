import { compressBlock, decompressBlock, sliceBlock } from '@auditing/audit-event/block';
import { KeptBatch } from '@auditing/proto/archive';
import { encoded } from '@auditing/proto/encoded';
import { EventBatch, Field, type Block, type Column } from '@auditing/proto/event';

import { auditIdOf } from './audit-id';
import { contentHash, contentParts } from './content-hash';

/** A record, ready to be written. */
export interface LogRecord {
  readonly data: Uint8Array;
  /** Of what it says (content-hash.ts); empty for joined batches, each of which has its own. */
  readonly contentHash: Buffer;
}

/**
 * The bytes of a batch, or of joined ones, as a record of the log: the block as it came, the rest compressed. `slices` are
 * the events of the block.
 */
export async function encodeRecord(kept: KeptBatch, slices: readonly Buffer[]): Promise<LogRecord> {
  const parts = contentParts(kept, slices);
  const hash = kept.joined === undefined ? contentHash(parts, kept, slices) : Buffer.alloc(0);
  const data = encoded(KeptBatch, {
    batch: { ...parts.head, block: kept.batch?.block },
    positions: [],
    verdicts: undefined,
    packed: await packed(parts.told),
    packedColumns: await packed(parts.columns),
    derivedFields: parts.isIdDerived ? [Field.AUDIT_ID] : [],
    contentHash: hash,
    joined: undefined,
  });
  return { data, contentHash: hash };
}

function packed(bytes: Uint8Array): Promise<Block> {
  return compressBlock([Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)]);
}

/** The batch of a record with what is told of its events, without times and columns. Rejects with BlockError if damaged. */
export async function toldBatch(record: KeptBatch): Promise<KeptBatch> {
  if (record.packed === undefined || record.batch === undefined) return record;
  const told = KeptBatch.decode(await decompressBlock(record.packed));
  return {
    ...record,
    batch: { ...record.batch, columns: told.batch?.columns ?? [] },
    positions: told.positions,
    verdicts: told.verdicts,
    joined: told.joined,
    packed: undefined,
  };
}

/** A record as a whole. */
export interface WholeRecord {
  /** Of joined batches: the events of all of them, and `joined`. */
  readonly kept: KeptBatch;
  /** The bytes of its events; undefined if nothing asked for them. */
  readonly slices: readonly Buffer[] | undefined;
}

/** The whole batch of a record. Rejects with BlockError if it is damaged. */
export async function wholeBatch(data: Buffer): Promise<KeptBatch> {
  return (await wholeRecord(data, false)).kept;
}

/** A record, and the bytes of its events: if they are needed to know the batch, or `withSlices`. */
export async function wholeRecord(data: Buffer, withSlices: boolean): Promise<WholeRecord> {
  const told = await toldBatch(KeptBatch.decode(data));
  if (told.packedColumns === undefined || told.batch === undefined)
    return { kept: told, slices: withSlices ? await slicesOf(told.batch) : undefined };
  const { requestReceivedUs, stageUs, columns } = EventBatch.decode(
    await decompressBlock(told.packedColumns),
  );
  const batch = {
    ...told.batch,
    requestReceivedUs,
    stageUs,
    columns: [...told.batch.columns, ...columns],
  };
  const whole = { ...told, batch, packedColumns: undefined };
  const isIdDerived = told.derivedFields.includes(Field.AUDIT_ID) && batch.block !== undefined;
  const slices = isIdDerived || withSlices ? await slicesOf(batch) : undefined;
  if (!isIdDerived || slices === undefined) return { kept: whole, slices };
  batch.columns.push(idColumnOf(slices));
  return { kept: { ...whole, derivedFields: [] }, slices };
}

async function slicesOf(batch: EventBatch | undefined): Promise<readonly Buffer[]> {
  if (batch?.block === undefined) return [];
  return sliceBlock(await decompressBlock(batch.block), batch.sliceBytes);
}

function idColumnOf(slices: readonly Buffer[]): Column {
  const places = new Map<string, number>();
  const rows = slices.map((slice) => {
    const id = auditIdOf(slice);
    if (id === undefined) return 0;
    const place = places.get(id) ?? places.size + 1;
    places.set(id, place);
    return place;
  });
  return { field: Field.AUDIT_ID, values: [...places.keys()], rows };
}
