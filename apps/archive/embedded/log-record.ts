import { compressBlock, decompressBlock } from '@auditing/audit-event/block';
import { EventBatch, Field, type Column } from '@auditing/proto/event';
import { KeptBatch } from '@auditing/proto/archive';

/** What is before the audit id in the bytes of an event, as the two senders write it. */
const ID_KEYS = [Buffer.from('"auditID":"'), Buffer.from('"AuditID":"')];
const QUOTE = 0x22;
/** The API server refuses longer ones. */
const ID_MAX_BYTES = 256;
const PLAIN_ID = /^[\w.:-]+$/;

/**
 * The bytes of a batch as a record of the log: the block as it came, the rest compressed. `slices` are the events of the
 * block.
 */
export async function encodeRecord(
  kept: KeptBatch,
  slices: readonly Buffer[],
): Promise<Uint8Array> {
  const batch = kept.batch ?? EventBatch.create();
  const idColumn = batch.columns.find(({ field }) => field === Field.AUDIT_ID);
  const isDerived =
    idColumn !== undefined && slices.every((slice, row) => idOf(slice) === cell(idColumn, row));
  const rest = KeptBatch.encode({
    batch: EventBatch.create({
      requestReceivedUs: batch.requestReceivedUs,
      stageUs: batch.stageUs,
      columns: isDerived ? batch.columns.filter((column) => column !== idColumn) : batch.columns,
    }),
    positions: kept.positions,
    verdicts: kept.verdicts,
    packed: undefined,
    derivedFields: [],
  }).finish();
  return KeptBatch.encode({
    batch: { ...batch, requestReceivedUs: [], stageUs: [], columns: [] },
    positions: [],
    verdicts: undefined,
    packed: await compressBlock([Buffer.from(rest.buffer, rest.byteOffset, rest.length)]),
    derivedFields: isDerived ? [Field.AUDIT_ID] : [],
  }).finish();
}

/** The whole batch of a record, but for the columns that are to be derived. Rejects with BlockError if it is damaged. */
export async function unpacked(record: KeptBatch): Promise<KeptBatch> {
  if (record.packed === undefined || record.batch === undefined) return record;
  const { batch, positions, verdicts } = KeptBatch.decode(await decompressBlock(record.packed));
  const { requestReceivedUs, stageUs, columns } = batch ?? EventBatch.create();
  return {
    ...record,
    batch: { ...record.batch, requestReceivedUs, stageUs, columns },
    positions,
    verdicts,
    packed: undefined,
  };
}

/** The batch with the columns that its record left out; `slices` are its events. */
export function withDerived(kept: KeptBatch, slices: readonly Buffer[]): KeptBatch {
  if (kept.batch === undefined || !kept.derivedFields.includes(Field.AUDIT_ID)) return kept;
  const columns = [...kept.batch.columns, idColumnOf(slices)];
  return { ...kept, batch: { ...kept.batch, columns }, derivedFields: [] };
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
