import { alertInScope } from '@auditing/access/restrict-alert';
import { status } from '@grpc/grpc-js';
import {
  AlertKind,
  DeliveryState,
  type AlertDeadLetter,
  type AlertStatus,
  type DeadLettersRequest,
  type DeadLettersResponse,
  type ListRequest,
  type ListResponse,
} from '@auditing/proto/alert';
import { RpcError } from '@auditing/service/rpc-error';
import type { AlertEntry } from './alert-entry';
import { readStatus } from './alert-status';
import { millisOf, timestampOf } from './event-text';
import type { Outbox } from './outbox';

const LIMIT_DEFAULT = 100;
const LIMIT_MAX = 1_000;

/** Alerts that fit a question, newest first. Those whose event matters are read from disk one after the other. */
export async function listAlerts(
  outbox: Outbox,
  request: ListRequest,
  signal: AbortSignal,
): Promise<ListResponse> {
  const limit = readLimit(request.limit);
  const before = readCursor(request.cursor);
  const found: AlertStatus[] = [];
  for (const alert of outbox.index.newestFirst(before)) {
    if (!entryFits(alert, request)) continue;
    if (signal.aborted) break;
    const one = await readStatus(outbox, alert);
    if (!one || !alertInScope(one, request.scope) || !eventFits(one, request)) continue;
    found.push(one);
    if (found.length === limit) {
      const nextCursor = outbox.index.oldestPosition === alert.position ? '' : cursorOf(alert);
      return { alerts: found, nextCursor };
    }
  }
  return { alerts: found, nextCursor: '' };
}

/** Deliveries that were given up, the newest alert first. An alert is never cut in two by a page. */
export async function listDeadLetters(
  outbox: Outbox,
  request: DeadLettersRequest,
): Promise<DeadLettersResponse> {
  const limit = readLimit(request.limit);
  const before = readCursor(request.cursor);
  const { receiver, rule } = request;
  const totalCount = outbox.index.deadCount;
  const deadLetters: AlertDeadLetter[] = [];
  for (const alert of outbox.index.newestFirst(before)) {
    if (rule !== '' && alert.rule !== rule) continue;
    const dead = alert.deliveries.filter(
      (one) => one.state === DeliveryState.DEAD && (receiver === '' || one.receiver === receiver),
    );
    if (dead.length === 0) continue;
    const one = await readStatus(outbox, alert);
    for (const { receiver: name, endedAtMs } of one ? dead : []) {
      const delivery = one?.deliveries.find((its) => its.receiver === name);
      deadLetters.push({ alert: one, delivery, deadAt: timestampOf(endedAtMs) });
    }
    if (deadLetters.length >= limit) {
      return { deadLetters, nextCursor: cursorOf(alert), totalCount };
    }
  }
  return { deadLetters, nextCursor: '', totalCount };
}

/** What can be told without reading the alert. */
function entryFits(alert: AlertEntry, request: ListRequest): boolean {
  const { rule, state, receiver, kinds, group } = request;
  if (rule !== '' && alert.rule !== rule) return false;
  if (kinds.length > 0 ? !kinds.includes(alert.kind) : alert.kind === AlertKind.HEARTBEAT) {
    return false;
  }
  if (alert.raisedAtMs < (millisOf(request.start) ?? -Infinity)) return false;
  if (alert.raisedAtMs >= (millisOf(request.end) ?? Infinity)) return false;
  if (group.length > 0) {
    const first = alert.group?.first.id ?? alert.id;
    if (first !== group.toString('latin1')) return false;
  }
  if (state === DeliveryState.UNSPECIFIED && receiver === '') return true;
  return alert.deliveries.some(
    (one) =>
      (state === DeliveryState.UNSPECIFIED || one.state === state) &&
      (receiver === '' || one.receiver === receiver),
  );
}

function eventFits({ alert }: AlertStatus, request: ListRequest): boolean {
  const event = alert?.event;
  const object = event?.objectRef;
  const { user, namespace, resource, name } = request;
  const users = [event?.user?.username, event?.impersonatedUser?.username];
  return (
    (user === '' || users.includes(user)) &&
    (namespace === '' || object?.namespace === namespace) &&
    (resource === '' || object?.resource === resource) &&
    (name === '' || object?.name === name)
  );
}

function readLimit(limit: number): number {
  if (limit <= LIMIT_MAX) return limit || LIMIT_DEFAULT;
  throw new RpcError(status.INVALID_ARGUMENT, `limit: expected at most ${LIMIT_MAX}, got ${limit}`);
}

function readCursor(cursor: string): number {
  if (cursor === '') return Infinity;
  if (/^\d{1,15}$/.test(cursor)) return Number(cursor);
  throw new RpcError(
    status.INVALID_ARGUMENT,
    `cursor: expected next_cursor of an answer, got ${JSON.stringify(cursor.slice(0, 100))}`,
  );
}

function cursorOf({ position }: AlertEntry): string {
  return String(position);
}
