import { buildColumns } from '@auditing/audit-event/columns';
import { rememberDecoded } from '@auditing/audit-event/decoded-batch';
import type { DecodedEvent } from '@auditing/audit-event/decoded-event';
import { EventBatch, type BatchId } from '@auditing/proto/event';
import type { Document, DocumentNeed, EvaluateRequest, RuleSet } from '@auditing/proto/rule';

/** Events to be decided, as rules are to see them. */
export interface EventsToDecide {
  readonly id: BatchId;
  readonly receivedAtUs: number;
  readonly events: readonly DecodedEvent[];
}

/** A batch is known by its identity in this process, so a request is made without the copying `create`. */
const NOTHING_ELSE: Omit<EvaluateRequest, 'batch'> = {
  call: 0,
  traceParent: '',
  projectionVersion: '',
  documents: [],
  probe: false,
};

/** Makes the request that asks for verdicts. The two ways of doing so are the exports below. */
export type MakeEvaluateRequest = (toDecide: EventsToDecide, ruleSet: RuleSet) => EvaluateRequest;

/** For a rule service in this process: it gets the very events, nothing is copied. */
export const evaluateInProcess: MakeEvaluateRequest = (toDecide) => {
  const batch = batchOf(toDecide);
  rememberDecoded(batch, toDecide.events);
  return { ...NOTHING_ELSE, batch };
};

/** For a rule service behind a socket: it gets what the rule set reads, and whole events only where it needs them. */
export const evaluateRemotely: MakeEvaluateRequest = (toDecide, { projection, version }) => {
  const batch = batchOf(toDecide);
  batch.columns = buildColumns(toDecide.events, projection?.fields ?? []);
  const needs = projection?.documents ?? [];
  return {
    ...NOTHING_ELSE,
    batch,
    projectionVersion: version,
    documents: documents(toDecide.events, (event) => needs.some((need) => fits(need, event))),
  };
};

/** For a rule set whose projection cannot be got hold of: everything goes along. */
export function evaluateWhole(toDecide: EventsToDecide): EvaluateRequest {
  return {
    ...NOTHING_ELSE,
    batch: batchOf(toDecide),
    documents: documents(toDecide.events, () => true),
  };
}

function batchOf({ id, receivedAtUs, events }: EventsToDecide): EventBatch {
  return EventBatch.create({ id, receivedAtUs, eventCount: events.length });
}

function documents(
  events: readonly DecodedEvent[],
  isNeeded: (event: DecodedEvent) => boolean,
): Document[] {
  return events.flatMap(({ bytes }, event) => {
    const decoded = events[event];
    return decoded && isNeeded(decoded) ? [{ event, json: bytes }] : [];
  });
}

function fits(need: DocumentNeed, event: DecodedEvent): boolean {
  return (
    isAmong(need.verbs, event.get('Verb')) &&
    isAmong(need.resources, event.get('ObjectRef.Resource')) &&
    isAmong(need.subresources, event.get('ObjectRef.Subresource'))
  );
}

function isAmong(values: readonly string[], value: unknown): boolean {
  return values.length === 0 || values.includes(typeof value === 'string' ? value : '');
}
