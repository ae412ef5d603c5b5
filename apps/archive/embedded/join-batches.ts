import { JoinedBatches, KeptBatch } from '@auditing/proto/archive';
import {
  EventBatch,
  type BatchId,
  type Column,
  type RuleName,
  type Verdict,
} from '@auditing/proto/event';

import type { Pace } from './pace';

/** A batch of the log, with the bytes of its events. */
export interface LoggedBatch {
  /** Whole, but for its block. */
  readonly kept: KeptBatch & { readonly batch: EventBatch };
  readonly slices: readonly Buffer[];
  /** What its own record takes, or took, in the log, with its frame. */
  readonly logBytes: number;
}

/** Batches of the same kind can be joined: the columns that were sent are the same. */
export function kindOf({ kept }: LoggedBatch): string {
  return kept.batch.columns.map(({ field }) => field).join();
}

/**
 * Batches of one kind as one, without a block: their events one after the other, and beside them what each of them said for
 * itself. Gives way to others between two batches.
 *
 * Rejects with RangeError if what a batch says cannot be told so, such as a time that is no whole number.
 */
export async function joinBatches(
  batches: readonly LoggedBatch[],
  pace: Pick<Pace, 'breathe'>,
): Promise<KeptBatch> {
  const rules = new Distinct<RuleName>();
  const joined = JoinedBatches.create();
  const epochs = new Distinct<string>();
  const versions = new Distinct<string>();
  const ruleLists = new Distinct<readonly number[]>();
  const verdicts: Verdict[] = [];
  let eventCount = 0;
  let before = { receivedAtUs: 0n, sequence: 0n };
  for (const { kept, logBytes } of batches) {
    await pace.breathe();
    const { batch } = kept;
    const receivedAtUs = BigInt(batch.receivedAtUs);
    const { epoch, sequence, part, firstEvent, eventCount: idCount } = batch.id ?? NO_ID;
    joined.eventCounts.push(batch.eventCount);
    joined.logBytes.push(logBytes);
    joined.receivedAtStepsUs.push(receivedAtUs - before.receivedAtUs);
    joined.epochCodes.push(batch.id === undefined ? 0 : 1 + epochs.place(epoch));
    joined.sequenceSteps.push(int64(sequence - before.sequence));
    joined.parts.push(part);
    joined.firstEvents.push(firstEvent);
    joined.idEventCounts.push(idCount);
    before = { receivedAtUs, sequence };

    const version = kept.verdicts?.ruleSetVersion ?? '';
    const places = (kept.verdicts?.rules ?? []).map((rule) => rules.place(rule));
    joined.ruleSetVersionCodes.push(kept.verdicts === undefined ? 0 : 1 + versions.place(version));
    joined.ignoredCounts.push(kept.verdicts?.ignoredCount ?? 0);
    joined.ruleListCodes.push(ruleLists.place(places));
    for (const verdict of kept.verdicts?.verdicts ?? [])
      verdicts.push(movedVerdict(verdict, eventCount, places));
    eventCount += batch.eventCount;
  }
  joined.epochs = epochs.values;
  joined.ruleSetVersions = versions.values;
  joined.ruleLists = ruleLists.values.map((list) => ({ rules: [...list] }));
  const events = await joinedEvents(batches, pace);
  // Not `create`: it copies all of it.
  return {
    ...NO_KEPT,
    batch: { ...NO_BATCH, eventCount, ...events },
    positions: batches.flatMap(({ kept }) => kept.positions),
    verdicts: { ruleSetVersion: '', rules: rules.values, verdicts, ignoredCount: 0 },
    joined,
  };
}

const NO_KEPT = KeptBatch.create();
const NO_BATCH = EventBatch.create();
const NO_ID: BatchId = { epoch: '', sequence: 0n, part: 0, firstEvent: 0, eventCount: 0 };

/** Sequences are unsigned, steps between them signed: those that do not fit are only made by hand. */
function int64(step: bigint): bigint {
  if (BigInt.asIntN(64, step) === step) return step;
  throw new RangeError(`a step of ${step} between two sequences is too large to be told`);
}

function movedVerdict(verdict: Verdict, by: number, rules: readonly number[]): Verdict {
  return {
    ...verdict,
    event: verdict.event + by,
    findings: verdict.findings.map((finding) => ({ ...finding, rule: rules[finding.rule] ?? 0 })),
  };
}

async function joinedEvents(
  logged: readonly LoggedBatch[],
  pace: Pick<Pace, 'breathe'>,
): Promise<Partial<EventBatch>> {
  const batches = logged.map(({ kept }) => kept.batch);
  const columns: Column[] = [];
  for (const [place, { field }] of (batches[0]?.columns ?? []).entries()) {
    await pace.breathe();
    const parts = batches.flatMap((batch) => batch.columns[place] ?? []);
    columns.push({ field, ...joinedColumn(parts) });
  }
  return {
    sliceBytes: batches.flatMap(({ sliceBytes }) => sliceBytes),
    keys: Buffer.concat(batches.map(({ keys }) => keys)),
    requestReceivedUs: batches.flatMap(({ requestReceivedUs }) => requestReceivedUs),
    stageUs: batches.flatMap(({ stageUs }) => stageUs),
    columns,
  };
}

function joinedColumn(columns: readonly Column[]): Omit<Column, 'field'> {
  const places = new Map<string, number>();
  const rows = columns.flatMap(({ values, rows }) =>
    rows.map((code) => {
      const value = values[code - 1];
      if (value === undefined) return 0;
      const place = places.get(value) ?? places.size + 1;
      places.set(value, place);
      return place;
    }),
  );
  return { values: [...places.keys()], rows };
}

/** Values, each once, with the place of each. */
class Distinct<Value> {
  readonly values: Value[] = [];
  readonly #places = new Map<string, number>();

  place(value: Value): number {
    const key = JSON.stringify(value);
    const known = this.#places.get(key);
    if (known !== undefined) return known;
    this.#places.set(key, this.values.length);
    return this.values.push(value) - 1;
  }
}
