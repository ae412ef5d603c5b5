import { status } from '@grpc/grpc-js';
import { KEY_BYTES } from '@auditing/audit-event/event-key';
import type { KeptBatch } from '@auditing/proto/archive';
import type { Field } from '@auditing/proto/event';
import { type BatchId, type Column, type EventBatch, type Verdicts } from '@auditing/proto/event';
import { RpcError } from '@auditing/service/rpc-error';

import { INDEXED_FIELDS } from './indexed-fields';

const KNOWN_FIELDS: ReadonlySet<Field> = new Set(INDEXED_FIELDS);
const EPOCH = /^[0-9a-f]{16}$/;

/** A batch that has its id and block. */
type Kept = KeptBatch & { readonly batch: EventBatch & { readonly id: BatchId } };

/**
 * Checks that a batch is well-formed: what is written to the log is read for years.
 *
 * @throws INVALID_ARGUMENT naming the part of the request that is wrong.
 */
export function checkAppend(kept: KeptBatch | undefined): Kept {
  const batch = kept?.batch;
  if (kept === undefined || batch === undefined) throw bad('kept.batch', 'a batch', 'none');
  const { id } = batch;
  if (id === undefined) throw bad('kept.batch.id', 'a batch id', 'none');
  checkId(id);
  checkEvents(batch);
  for (const column of batch.columns) checkColumn(column, batch.eventCount);
  checkPositions(kept.positions, id, batch.eventCount);
  if (kept.verdicts !== undefined) checkVerdicts(kept.verdicts, batch.eventCount);
  // The very batch, not a copy: what is remembered of it (decoded-batch.ts) is found by it.
  return {
    ...(kept as Kept),
    packed: undefined,
    packedColumns: undefined,
    derivedFields: [],
    contentHash: Buffer.alloc(0),
    joined: undefined,
  };
}

function checkId({ epoch, sequence }: BatchId): void {
  if (!EPOCH.test(epoch))
    throw bad('kept.batch.id.epoch', '16 lower-case hexadecimal digits', JSON.stringify(epoch));
  if (sequence < 1n) throw bad('kept.batch.id.sequence', 'a number from 1 on', String(sequence));
}

function checkEvents(batch: EventBatch): void {
  const { eventCount, block, sliceBytes, keys, requestReceivedUs, stageUs, receivedAtUs } = batch;
  checkLength('slice_bytes', sliceBytes.length, eventCount);
  checkLength('keys', keys.length, eventCount * KEY_BYTES);
  checkLength('request_received_us', requestReceivedUs.length, eventCount);
  checkLength('stage_us', stageUs.length, eventCount);
  if (!(receivedAtUs > 0 && Number.isFinite(receivedAtUs))) {
    throw bad('kept.batch.received_at_us', 'a time', String(receivedAtUs));
  }
  if (!requestReceivedUs.every(Number.isFinite) || !stageUs.every(Number.isFinite)) {
    throw bad('kept.batch.request_received_us and stage_us', 'finite numbers', 'others');
  }
  const rawBytes = sliceBytes.reduce((sum, length) => sum + length, 0);
  if (block === undefined && eventCount > 0)
    throw bad('kept.batch.block', 'the bytes of the events', 'none');
  if (block !== undefined && block.rawBytes !== rawBytes) {
    throw bad(
      'kept.batch.block.raw_bytes',
      `the sum of slice_bytes, ${rawBytes}`,
      String(block.rawBytes),
    );
  }
}

function checkColumn({ field, values, rows }: Column, eventCount: number): void {
  if (!KNOWN_FIELDS.has(field)) {
    throw bad('kept.batch.columns', 'known fields', `field ${field}`);
  }
  checkLength(`columns of field ${field}`, rows.length, eventCount);
  const most = values.length;
  for (const code of rows) {
    if (code <= most) continue;
    throw bad(`kept.batch.columns of field ${field}`, `rows from 0 to ${most}`, String(code));
  }
}

function checkPositions(
  positions: readonly number[],
  { firstEvent, eventCount }: BatchId,
  count: number,
): void {
  if (positions.length !== count) {
    throw bad('kept.positions', `${count} entries, one an event`, String(positions.length));
  }
  const end = eventCount === 0 ? Infinity : firstEvent + eventCount;
  let least = firstEvent;
  for (const position of positions) {
    if (position < least || position >= end) {
      throw bad(
        'kept.positions',
        `ascending numbers from ${firstEvent} to below ${end}, the range of the id`,
        String(position),
      );
    }
    least = position + 1;
  }
}

function checkVerdicts({ rules, verdicts }: Verdicts, eventCount: number): void {
  let least = 0;
  for (const { event, findings } of verdicts) {
    if (event < least)
      throw bad('kept.verdicts', `ascending events, from ${least} on`, String(event));
    least = event + 1;
    if (event >= eventCount)
      throw bad('kept.verdicts', `events below ${eventCount}`, String(event));
    const unnamed = findings.find(({ rule }) => rule >= rules.length);
    if (unnamed !== undefined)
      throw bad('kept.verdicts', `rules below ${rules.length}`, String(unnamed.rule));
  }
}

function checkLength(what: string, length: number, expected: number): void {
  if (length !== expected)
    throw bad(`kept.batch.${what}`, `a length of ${expected}`, String(length));
}

function bad(what: string, expected: string, got: string): RpcError {
  return new RpcError(status.INVALID_ARGUMENT, `${what}: expected ${expected}, got ${got}`);
}
