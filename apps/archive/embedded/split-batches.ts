import { KEY_BYTES } from '@auditing/audit-event/event-key';
import { KeptBatch, type JoinedBatches } from '@auditing/proto/archive';
import type { BatchId, Column, EventBatch, Verdict, Verdicts } from '@auditing/proto/event';

import { contentHash, contentParts } from './content-hash';
import type { LoggedBatch } from './join-batches';
import type { WholeRecord } from './log-record';

const NO_KEPT = KeptBatch.create();

/** Which events of a record are those of a batch. */
interface Range {
  readonly first: number;
  readonly end: number;
}

/** What a record says of its batches besides their events: of the one, or of each of those that were joined. */
interface BatchHead extends Range {
  readonly id: BatchId | undefined;
  readonly receivedAtUs: number;
}

/** The batches of a record, in order. */
export function batchHeads({ batch, joined }: KeptBatch): readonly BatchHead[] {
  if (batch === undefined) return [];
  if (joined === undefined) {
    const { id, receivedAtUs, eventCount } = batch;
    return [{ id, receivedAtUs, first: 0, end: eventCount }];
  }
  let end = 0;
  let receivedAtUs = 0n;
  let sequence = 0n;
  return joined.eventCounts.map((count, at) => {
    const first = end;
    end += count;
    receivedAtUs += joined.receivedAtStepsUs[at] ?? 0n;
    sequence += joined.sequenceSteps[at] ?? 0n;
    const id = joinedId(joined, at, sequence);
    return { id, receivedAtUs: Number(receivedAtUs), first, end };
  });
}

function joinedId(joined: JoinedBatches, at: number, sequence: bigint): BatchId | undefined {
  const epoch = joined.epochs[(joined.epochCodes[at] ?? 0) - 1];
  if (epoch === undefined) return undefined;
  return {
    epoch,
    sequence,
    part: joined.parts[at] ?? 0,
    firstEvent: joined.firstEvents[at] ?? 0,
    eventCount: joined.idEventCounts[at] ?? 0,
  };
}

/** When the gateway received each event of a record, in microseconds since 1970. */
export function receivedAtOf(kept: KeptBatch): (event: number) => number {
  const heads = batchHeads(kept);
  const [only] = heads;
  if (heads.length === 1 && only !== undefined) return () => only.receivedAtUs;
  const times = new Float64Array(heads.at(-1)?.end ?? 0);
  for (const { first, end, receivedAtUs } of heads) times.fill(receivedAtUs, first, end);
  return (event) => times[event] ?? 0;
}

/**
 * The batches that were joined into a record, each as it was before: what `joinBatches` was given. Without columns where
 * the record comes without them. The batch itself if nothing was joined. Hundreds of them take a while: whoever has time can
 * give way to others between two.
 */
export function* splitBatches(
  kept: KeptBatch,
  slices: readonly Buffer[],
  recordBytes: number,
): Generator<LoggedBatch, void> {
  const { batch, joined } = kept;
  if (batch === undefined) return;
  if (joined === undefined) {
    yield { kept: { ...kept, batch }, slices, logBytes: recordBytes };
    return;
  }
  let nextVerdict = 0;
  for (const [at, { id, receivedAtUs, first, end }] of batchHeads(kept).entries()) {
    const range = { first, end };
    const verdicts: Verdict[] = [];
    const all = kept.verdicts?.verdicts ?? [];
    for (let one = all[nextVerdict]; one !== undefined && one.event < end; one = all[nextVerdict]) {
      verdicts.push({ ...one, event: one.event - first });
      nextVerdict += 1;
    }
    const positions = kept.positions.slice(first, end);
    const own = { ...NO_KEPT, positions, verdicts: ownVerdicts(kept, at, verdicts) };
    yield {
      kept: { ...own, batch: { ...ownEvents(batch, range), id, receivedAtUs } },
      slices: slices.slice(first, end),
      logBytes: joined.logBytes[at] ?? 0,
    };
  }
}

function ownVerdicts(
  { joined, verdicts }: KeptBatch,
  at: number,
  own: readonly Verdict[],
): Verdicts | undefined {
  const version = joined?.ruleSetVersions[(joined.ruleSetVersionCodes[at] ?? 0) - 1];
  if (joined === undefined || version === undefined) return undefined;
  const rules = joined.ruleLists[joined.ruleListCodes[at] ?? 0]?.rules ?? [];
  const placeOf = new Map(rules.map((rule, place) => [rule, place]));
  return {
    ruleSetVersion: version,
    rules: rules.flatMap((rule) => verdicts?.rules[rule] ?? []),
    verdicts: own.map((verdict) => ({
      ...verdict,
      findings: verdict.findings.map((one) => ({ ...one, rule: placeOf.get(one.rule) ?? 0 })),
    })),
    ignoredCount: joined.ignoredCounts[at] ?? 0,
  };
}

function ownEvents(batch: EventBatch, { first, end }: Range): EventBatch {
  return {
    id: undefined,
    receivedAtUs: 0,
    eventCount: end - first,
    block: undefined,
    sliceBytes: batch.sliceBytes.slice(first, end),
    keys: batch.keys.subarray(first * KEY_BYTES, end * KEY_BYTES),
    requestReceivedUs: batch.requestReceivedUs.slice(first, end),
    stageUs: batch.stageUs.slice(first, end),
    columns: batch.columns.map((column) => ownColumn(column, { first, end })),
  };
}

function ownColumn({ field, values, rows }: Column, { first, end }: Range): Column {
  const places = new Map<number, number>();
  const own = rows.slice(first, end).map((code) => {
    if (code === 0) return 0;
    const place = places.get(code) ?? places.size + 1;
    places.set(code, place);
    return place;
  });
  return { field, values: [...places.keys()].map((code) => values[code - 1] ?? ''), rows: own };
}

/** The hash of what a batch says, computed anew. */
export function hashOf({ kept, slices }: LoggedBatch): Buffer {
  return contentHash(contentParts(kept, slices), kept, slices);
}

/** The hash of what each batch of a record says, in order, computed anew. */
export function contentHashes({ kept, slices = [] }: WholeRecord): readonly Buffer[] {
  return Array.from(splitBatches(kept, slices, 0), hashOf);
}

/** The same, as the record itself says if it is one batch. A record of joined ones must have come with its slices. */
export function toldHashes(record: WholeRecord): readonly Buffer[] {
  return record.kept.joined === undefined ? [record.kept.contentHash] : contentHashes(record);
}
