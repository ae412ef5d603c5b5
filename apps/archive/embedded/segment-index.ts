import type { KeptBatch } from '@auditing/proto/archive';
import { Field, type Finding } from '@auditing/proto/event';

import { ownTimeUs } from '../event-time';
import { INDEXED_FIELDS } from '../indexed-fields';
import type { Sized } from './byte-cache';
import {
  GrowingColumn,
  GrowingNumbers,
  ListedValues,
  type CodedColumn,
  type RowColumn,
} from './column';
import { IdColumn, type Ids } from './id-column';
import { keepingRules, type KeepingRules } from './keeping-rules';
import { KeyIndex } from './key-index';
import type { SegmentKeys } from './sealed-keys';
import { batchHeads, receivedAtOf } from './split-batches';

/** What is known of a segment without reading its columns. */
export interface SegmentSummary {
  readonly rowCount: number;
  /** Earliest and latest time of its events (`eventTimeUs`); Infinity and -Infinity without events. */
  readonly minTimeUs: number;
  readonly maxTimeUs: number;
  /** When the gateway received the last of its events; 0 without events. */
  readonly newestReceivedUs: number;
}

/** Which row lies in which record of the log. Rows of a record follow each other, records as in the log. */
export interface RecordTable {
  /** Position of each record in the log, ascending. */
  readonly positions: Float64Array;
  /** First row of each record. */
  readonly firstRows: Float64Array;
}

/** Rows of an index that was saved. */
export interface SavedRows {
  readonly summary: SegmentSummary;
  readonly times: Float64Array;
  readonly stageTimes: Float64Array;
  readonly records: RecordTable;
}

/** A segment of the log as queries see it. What it gives may be longer than `rowCount` and is not to be changed. */
export interface IndexedSegment {
  /** Position of its first byte in the log. */
  readonly start: number;
  readonly summary: SegmentSummary;
  /** `eventTimeUs` of each row. */
  times(): Promise<Float64Array>;
  column(field: Field): Promise<CodedColumn>;
  records(): Promise<RecordTable>;
  keys(): Promise<SegmentKeys>;
  /** What was worked out of all its rows; a segment that grows no more keeps it, by name, beside its columns. */
  derived<Value>(name: string, work: () => Promise<Sized<Value>>): Promise<Value>;
}

/** The index of a segment that is being written, or rebuilt from its records. */
export class SegmentIndex {
  readonly #ids = new IdColumn();
  readonly #rules = new GrowingColumn();
  readonly #priorities = new GrowingColumn();
  readonly #workspaces = new GrowingColumn();
  readonly #columns: ReadonlyMap<Field, RowColumn> = new Map(
    INDEXED_FIELDS.map((field) => [field, this.#columnOf(field)]),
  );
  readonly #times = new GrowingNumbers();
  readonly #stageTimes = new GrowingNumbers();
  readonly #positions = new GrowingNumbers();
  readonly #firstRows = new GrowingNumbers();
  readonly #keys: KeyIndex;
  #minTimeUs = Infinity;
  #maxTimeUs = -Infinity;
  #newestReceivedUs = 0;
  /** When the first of its events was received; 0 without events. */
  oldestReceivedUs = 0;

  /** `rowCount`: as many rows are expected; where it is wrong, tables grow, and appends wait for that. */
  constructor(
    /** Position of the segment's first byte in the log. */
    readonly start: number,
    rowCount?: number,
  ) {
    this.#keys = new KeyIndex(rowCount);
  }

  get rowCount(): number {
    return this.#times.length;
  }

  /** What it takes in memory, roughly: columns widen in steps, and values are counted with their map entry. */
  get bytes(): number {
    let bytes = this.rowCount * 3 * 8 + this.#keys.bytes;
    for (const { codes, valueBytes } of this.#columns.values()) {
      bytes += codes.byteLength + valueBytes;
    }
    return bytes;
  }

  get keys(): KeyIndex {
    return this.#keys;
  }

  get stageTimes(): Float64Array {
    return this.#stageTimes.view();
  }

  /** Adds the events of a record of the log. */
  add(position: number, kept: KeptBatch): void {
    const batch = kept.batch;
    if (batch === undefined) return;
    this.#positions.push(position);
    this.#firstRows.push(this.rowCount);
    const columns = new Map(batch.columns.map((column) => [column.field, column]));
    for (const [field, column] of this.#columns) {
      if (OF_VERDICTS.has(field)) continue;
      column.addRows(columns.get(field), batch.eventCount);
    }
    this.#addVerdicts(kept, columns.get(Field.WORKSPACE));
    this.addKeys(kept);
    const receivedAtUs = receivedAtOf(kept);
    for (let event = 0; event < batch.eventCount; event += 1) {
      const timeUs = ownTimeUs(kept, event) || receivedAtUs(event);
      this.#times.push(timeUs);
      this.#stageTimes.push(batch.stageUs[event] ?? 0);
      this.#minTimeUs = Math.min(this.#minTimeUs, timeUs);
      this.#maxTimeUs = Math.max(this.#maxTimeUs, timeUs);
    }
    for (const head of batchHeads(kept))
      this.#newestReceivedUs = Math.max(this.#newestReceivedUs, head.receivedAtUs);
  }

  /** Adds what of a record is not in a saved index: the keys of its events. The rows are there already. */
  addKeys(kept: KeptBatch): void {
    if (kept.batch === undefined) return;
    this.#keys.add(kept.batch.keys);
    for (const { receivedAtUs } of batchHeads(kept))
      this.oldestReceivedUs = Math.min(this.oldestReceivedUs || Infinity, receivedAtUs);
  }

  /** The records of the segment were written anew: the same rows, elsewhere. Tables that were taken stay as they are. */
  relocate({ positions, firstRows }: RecordTable): void {
    this.#positions.restore(positions);
    this.#firstRows.restore(firstRows);
  }

  /** Takes rows that were saved, but for their columns; there are none yet. */
  restoreRows({ summary, times, stageTimes, records }: SavedRows): void {
    this.#times.restore(times);
    this.#stageTimes.restore(stageTimes);
    this.#positions.restore(records.positions);
    this.#firstRows.restore(records.firstRows);
    this.#minTimeUs = summary.minTimeUs;
    this.#maxTimeUs = summary.maxTimeUs;
    this.#newestReceivedUs = summary.newestReceivedUs;
  }

  /** Takes a column that was saved. */
  restoreColumn(field: Field, column: CodedColumn): void {
    const growing = this.#columns.get(field);
    if (growing instanceof GrowingColumn) growing.restore(column);
  }

  /** Takes the column of ids. */
  restoreIds({ codes, values }: SegmentIndex['ids']): void {
    this.#ids.restore(codes, values);
  }

  column(field: Field): CodedColumn {
    return this.#columns.get(field) ?? { codes: new Uint8Array(this.rowCount), values: NO_VALUES };
  }

  /** The ids of its events, which the sidecar holds in binary. */
  get ids(): { readonly codes: Uint32Array; readonly values: Ids } {
    return this.#ids;
  }

  summary(): SegmentSummary {
    return {
      rowCount: this.rowCount,
      minTimeUs: this.#minTimeUs,
      maxTimeUs: this.#maxTimeUs,
      newestReceivedUs: this.#newestReceivedUs,
    };
  }

  times(): Float64Array {
    return this.#times.view();
  }

  records(): RecordTable {
    return { positions: this.#positions.view(), firstRows: this.#firstRows.view() };
  }

  /** Its events as they are now; events added later do not show. */
  snapshot(): IndexedSegment {
    return {
      start: this.start,
      summary: this.summary(),
      times: () => Promise.resolve(this.times()),
      column: (field) => Promise.resolve(this.column(field)),
      records: () => Promise.resolve(this.records()),
      keys: () => Promise.resolve(this.#keys),
      derived: async (_name, work) => (await work()).value,
    };
  }

  #columnOf(field: Field): RowColumn {
    switch (field) {
      case Field.AUDIT_ID:
        return this.#ids;
      case Field.RULE:
        return this.#rules;
      case Field.PRIORITY:
        return this.#priorities;
      case Field.WORKSPACE:
        return this.#workspaces;
      default:
        return new GrowingColumn();
    }
  }

  /** What the verdicts say: the rules, their priority, and the workspace where the event has none. */
  #addVerdicts(kept: KeptBatch, sent: { values: string[]; rows: number[] } | undefined): void {
    const { rules = [], verdicts = [] } = kept.verdicts ?? {};
    // Most events of a batch are kept by the same rules: their names are put together once.
    const known = new Map<string, KeepingRules>();
    let next = 0;
    let before: readonly Finding[] | undefined;
    let keeping: KeepingRules | undefined;
    for (let event = 0; event < (kept.batch?.eventCount ?? 0); event += 1) {
      const verdict = verdicts[next]?.event === event ? verdicts[next++] : undefined;
      const findings = verdict?.findings ?? NO_FINDINGS;
      if (keeping === undefined || !nameSameRules(findings, before)) {
        const which = findings.map(({ rule }) => rule).join();
        keeping = known.get(which) ?? keepingRules(findings.map(({ rule }) => rules[rule]));
        known.set(which, keeping);
      }
      before = findings;
      this.#rules.addRow(keeping.names);
      this.#priorities.addRow(keeping.priority);
      const code = sent?.rows[event] ?? 0;
      this.#workspaces.addRow(
        verdict?.workspace || (code === 0 ? undefined : sent?.values[code - 1]),
      );
    }
  }
}

const NO_FINDINGS: readonly Finding[] = [];

function nameSameRules(
  findings: readonly Finding[],
  others: readonly Finding[] | undefined,
): boolean {
  return (
    findings === others ||
    (findings.length === others?.length &&
      findings.every(({ rule }, at) => rule === others[at]?.rule))
  );
}

const NO_VALUES = new ListedValues([]);

/** Fields that come from the verdicts, or are filled by them. */
const OF_VERDICTS: ReadonlySet<Field> = new Set([Field.RULE, Field.PRIORITY, Field.WORKSPACE]);
