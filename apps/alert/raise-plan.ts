import { AlertKind, type Alert } from '@auditing/proto/alert';
import type { RaisedAlert } from '@auditing/proto/outbox';
import { deliveryId } from './alert-ids';
import { groupKey, requestKey } from './group-keys';
import type { Staged, StagedFirst } from './group-writer';
import type { OutboxState } from './outbox-state';

/** What is to be planned. */
export interface PlanRequest {
  /** 32 bytes. */
  readonly id: Buffer;
  readonly alert: Alert;
  /** Names of the receivers in use. */
  readonly receivers: readonly string[];
  readonly nowMs: number;
}

/**
 * Decides what becomes of an alert: news that goes out, another one of a group, or another stage of a request; and which
 * receivers get it by a digest. What the alerts before it in the same write were planned to be counts as done.
 */
export function planAlert(request: PlanRequest, state: OutboxState, staged: Staged): RaisedAlert {
  const { id, alert, nowMs } = request;
  const plan = { id, alert, raisedAtUs: nowMs * 1_000, summary: undefined };
  const found = state.groups.isOff ? undefined : placeOf(alert, state, staged);
  if (found) {
    const { kind, first } = found;
    const told = kind === AlertKind.REPEAT ? first.digestedFor : [];
    if (kind === AlertKind.REPEAT) rememberRequest(alert, first, staged);
    const deliveries = told.map((receiver) => planned(id, receiver, true));
    return { ...plan, kind, group: first.id, deliveries };
  }
  const deliveries = request.receivers.map((receiver) => {
    const key = `${alert.rule}\0${receiver}`;
    const taken = staged.tokens.get(key) ?? 0;
    const isOver = state.buckets.left(alert.rule, receiver, nowMs) - taken < 1;
    if (!isOver) staged.tokens.set(key, taken + 1);
    return planned(id, receiver, isOver);
  });
  const digestedFor = deliveries.filter((one) => one.digested).map(({ receiver }) => receiver);
  if (!state.groups.isOff) {
    const first = { id, digestedFor };
    staged.groups.set(groupKey(alert), first);
    rememberRequest(alert, first, staged);
  }
  return { ...plan, kind: AlertKind.FIRST, group: Buffer.alloc(0), deliveries };
}

/** A probe has no group and no rate: who made it waits for it. */
export function planProbe({ id, alert, receivers, nowMs }: PlanRequest): RaisedAlert {
  return {
    ...{ id, alert, raisedAtUs: nowMs * 1_000, summary: undefined },
    kind: AlertKind.PROBE,
    group: Buffer.alloc(0),
    deliveries: receivers.map((receiver) => planned(id, receiver, false)),
  };
}

function placeOf(
  alert: Alert,
  { groups }: OutboxState,
  staged: Staged,
): { kind: AlertKind; first: StagedFirst } | undefined {
  const request = requestKey(alert);
  const sameRequest = request === undefined ? undefined : staged.requests.get(request);
  if (sameRequest) return { kind: AlertKind.STAGE, first: sameRequest };
  const known = groups.find(alert);
  if (known) {
    const { first } = known.group;
    const digested = first.deliveries.filter(({ isDigested }) => isDigested);
    const digestedFor = digested.map(({ receiver }) => receiver);
    return { kind: known.kind, first: { id: Buffer.from(first.id, 'latin1'), digestedFor } };
  }
  const sameGroup = staged.groups.get(groupKey(alert));
  return sameGroup && { kind: AlertKind.REPEAT, first: sameGroup };
}

function rememberRequest(alert: Alert, first: StagedFirst, staged: Staged): void {
  const request = requestKey(alert);
  if (request !== undefined) staged.requests.set(request, first);
}

function planned(id: Buffer, receiver: string, digested: boolean): RaisedAlert['deliveries'][0] {
  return { receiver, id: deliveryId(id, receiver), digested };
}
