import { createHash } from 'node:crypto';

import { KeptBatch } from '@auditing/proto/archive';
import { encoded } from '@auditing/proto/encoded';
import { EventBatch, Field, Strip, type Column } from '@auditing/proto/event';

import { isAuditIdOf } from './audit-id';

/** What a record of the log says of a batch, in the parts in which it is written. */
export interface ContentParts {
  /** Everything but times, columns and verdicts; without the block. */
  readonly head: EventBatch;
  /** A KeptBatch: what is told of an event besides its bytes. */
  readonly told: Uint8Array;
  /** An EventBatch: times, and the columns that nobody but an index reads. */
  readonly columns: Uint8Array;
  /** True if the events' own bytes give the column of audit ids again: then it is not in `columns`. */
  readonly isIdDerived: boolean;
}

const NO_KEPT = KeptBatch.create();
const NO_BATCH = EventBatch.create();

/** Takes a batch apart. `slices` are the bytes of its events. */
export function contentParts(kept: KeptBatch, slices: readonly Buffer[]): ContentParts {
  const batch = kept.batch ?? NO_BATCH;
  const { requestReceivedUs, stageUs } = batch;
  const ids = batch.columns.find(({ field }) => field === Field.AUDIT_ID);
  const isIdDerived =
    ids !== undefined && slices.every((slice, row) => isAuditIdOf(slice, cell(ids, row)));
  const isTold = ({ field }: Column): boolean => field === Field.SOURCE;
  const columns = batch.columns.filter(
    (column) => !isTold(column) && !(isIdDerived && column === ids),
  );
  const { positions, verdicts, joined } = kept;
  // Not `create`: it copies all of it, which costs as much as encoding it.
  const told = { ...NO_KEPT, batch: { ...NO_BATCH, columns: batch.columns.filter(isTold) } };
  return {
    head: { ...batch, block: undefined, requestReceivedUs: [], stageUs: [], columns: [] },
    told: encoded(KeptBatch, { ...told, positions, verdicts, joined }),
    columns: encoded(EventBatch, { ...NO_BATCH, requestReceivedUs, stageUs, columns }),
    isIdDerived,
  };
}

function cell({ values, rows }: Column, row: number): string | undefined {
  const code = rows[row] ?? 0;
  return code === 0 ? undefined : values[code - 1];
}

/**
 * SHA-256 of what a batch says, however it is compressed and with whatever it shares a record: the chain of hashes is made
 * of it. An event that lies there as it was received is in it by its key, which `Verify` compares with its bytes; one that
 * was stripped, by its bytes too.
 */
export function contentHash(
  { head, told, columns }: ContentParts,
  { verdicts }: KeptBatch,
  slices: readonly Buffer[],
): Buffer {
  const hash = createHash('sha256').update('auditing archive batch 1\n');
  const add = (bytes: Uint8Array): void => {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(bytes.length);
    hash.update(length).update(bytes);
  };
  add(encoded(EventBatch, head));
  add(told);
  add(columns);
  for (const { event, strip } of verdicts?.verdicts ?? []) {
    if (strip !== Strip.UNSPECIFIED) add(slices[event] ?? Buffer.alloc(0));
  }
  return hash.digest();
}
