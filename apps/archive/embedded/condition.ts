import { microsFromTimestamp } from '@auditing/audit-event/timestamp';
import type { Query, ScopeEntry } from '@auditing/proto/archive';

import { UNINDEXED_FIELDS } from '../indexed-fields';
import { compileCondition, type CompiledCondition } from './compile-condition';
import type { EventSearch } from './event-search';
import type { SegmentSummary } from './segment-index';

/** A query, ready to be put to rows. */
export interface CompiledQuery {
  /** Times that fit, both included. */
  readonly startUs: number;
  readonly endUs: number;
  /** Conditions on fields that have a column. */
  readonly conditions: readonly CompiledCondition[];
  /** What is asked of the bytes of events; undefined if the index answers all. */
  readonly events: EventSearch | undefined;
  /** What the caller may see; undefined: everything. */
  readonly scope: CompiledScope | undefined;
}

/** From which time on, in microseconds since 1970, events of a namespace or of a workspace may be seen. */
export interface CompiledScope {
  readonly namespaces: ReadonlyMap<string, number>;
  readonly workspaces: ReadonlyMap<string, number>;
}

/** Compiles a query whose fields and match kinds are known ones. */
export function compileQuery(query: Query): CompiledQuery {
  const conditions = query.conditions.filter(({ values }) => values.length > 0);
  const unindexed = conditions.filter(({ field }) => UNINDEXED_FIELDS.has(field));
  // In memory of its own: it goes to other threads.
  const text = new TextEncoder().encode(query.text);
  return {
    startUs: query.start === undefined ? -Infinity : microsFromTimestamp(query.start),
    endUs: query.end === undefined ? Infinity : microsFromTimestamp(query.end),
    conditions: conditions
      .filter(({ field }) => !UNINDEXED_FIELDS.has(field))
      .map(compileCondition),
    events:
      text.length === 0 && unindexed.length === 0
        ? undefined
        : // In a scope it would tell, by the time it takes, what others have in the same record.
          { text, conditions: unindexed, wholeRecords: query.scope === undefined },
    scope: query.scope && {
      namespaces: sinceByName(query.scope.namespaces),
      workspaces: sinceByName(query.scope.workspaces),
    },
  };
}

/** True if every event of a segment fits: then what was counted of it before still holds. */
export function fitsAll(
  { startUs, endUs, conditions, events, scope }: CompiledQuery,
  { minTimeUs, maxTimeUs }: Pick<SegmentSummary, 'minTimeUs' | 'maxTimeUs'>,
): boolean {
  const isOpen = conditions.length === 0 && events === undefined && scope === undefined;
  return isOpen && startUs <= minTimeUs && endUs >= maxTimeUs;
}

function sinceByName(entries: readonly ScopeEntry[]): ReadonlyMap<string, number> {
  return new Map(
    entries.map(({ name, since }) => [
      name,
      since === undefined ? -Infinity : microsFromTimestamp(since),
    ]),
  );
}
