import { compressBlock, decompressBlock, sliceBlock } from '@auditing/audit-event/block';
import { EventBatch, Field, type Block, type Column } from '@auditing/proto/event';
import { KeptBatch } from '@auditing/proto/archive';

/** What is before the audit id in the bytes of an event, as the two senders write it. */
const ID_KEYS = [Buffer.from('"auditID":"'), Buffer.from('"AuditID":"')];
const QUOTE = 0x22;
/** The API server refuses longer ones. */
const ID_MAX_BYTES = 256;
const PLAIN_ID = /^[\w.:-]+$/;
const NO_EVENTS = EventBatch.create();

/**
 * The bytes of a batch as a record of the log: the block as it came, the rest compressed. `slices` are the events of the
 * block.
 */
export async function encodeRecord(
  kept: KeptBatch,
  slices: readonly Buffer[],
): Promise<Uint8Array> {
  const batch = kept.batch ?? NO_EVENTS;
  const idColumn = batch.columns.find(({ field }) => field === Field.AUDIT_ID);
  const isDerived =
    idColumn !== undefined && slices.every((slice, row) => idOf(slice) === cell(idColumn, row));
  const isTold = ({ field }: Column): boolean => field === Field.SOURCE;
  const indexed = batch.columns.filter(
    (column) => !isTold(column) && !(isDerived && column === idColumn),
  );
  // Not by create(), which copies all that it is given.
  const told: KeptBatch = {
    ...kept,
    batch: { ...NO_EVENTS, columns: batch.columns.filter(isTold) },
    packed: undefined,
    packedColumns: undefined,
    derivedFields: [],
  };
  const { requestReceivedUs, stageUs } = batch;
  const columns: EventBatch = { ...NO_EVENTS, requestReceivedUs, stageUs, columns: indexed };
  return KeptBatch.encode({
    batch: { ...batch, requestReceivedUs: [], stageUs: [], columns: [] },
    positions: [],
    verdicts: undefined,
    packed: await packed(KeptBatch.encode(told).finish()),
    packedColumns: await packed(EventBatch.encode(columns).finish()),
    derivedFields: isDerived ? [Field.AUDIT_ID] : [],
  }).finish();
}

function packed(bytes: Uint8Array): Promise<Block> {
  return compressBlock([Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)]);
}

/** The batch of a record with what is told of its events, without times and columns. Rejects with BlockError if damaged. */
export async function toldBatch(record: KeptBatch): Promise<KeptBatch> {
  if (record.packed === undefined || record.batch === undefined) return record;
  const { batch, positions, verdicts } = KeptBatch.decode(await decompressBlock(record.packed));
  return {
    ...record,
    batch: { ...record.batch, columns: batch?.columns ?? [] },
    positions,
    verdicts,
    packed: undefined,
  };
}

/** The whole batch of a record. Rejects with BlockError if it is damaged. */
export async function wholeBatch(data: Buffer): Promise<KeptBatch> {
  const told = await toldBatch(KeptBatch.decode(data));
  if (told.packedColumns === undefined || told.batch === undefined) return told;
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
  if (!whole.derivedFields.includes(Field.AUDIT_ID) || batch.block === undefined) return whole;
  const slices = sliceBlock(await decompressBlock(batch.block), batch.sliceBytes);
  batch.columns.push(idColumnOf(slices));
  return { ...whole, derivedFields: [] };
}

function idColumnOf(slices: readonly Buffer[]): Column {
  const places = new Map<string, number>();
  const rows = slices.map((slice) => {
    const id = idOf(slice);
    if (id === undefined) return 0;
    const place = places.get(id) ?? places.size + 1;
    places.set(id, place);
    return place;
  });
  return { field: Field.AUDIT_ID, values: [...places.keys()], rows };
}

/**
 * The audit id as its bytes show it at first sight: that it is the event's own is not certain (a body may hold such a key),
 * so whoever trusts it has compared it with the column.
 */
function idOf(slice: Buffer): string | undefined {
  for (const key of ID_KEYS) {
    const at = slice.indexOf(key);
    if (at === -1) continue;
    const begin = at + key.length;
    const end = slice.indexOf(QUOTE, begin);
    if (end === -1 || end - begin > ID_MAX_BYTES) return undefined;
    const id = slice.toString('latin1', begin, end);
    return PLAIN_ID.test(id) ? id : undefined;
  }
  return undefined;
}

function cell({ values, rows }: Column, row: number): string | undefined {
  const code = rows[row] ?? 0;
  return code === 0 ? undefined : values[code - 1];
}
