import { AlertKind, type Alert, type AlertSummary } from '@auditing/proto/alert';
import type { Timestamp } from '@auditing/proto/timestamp';
import { isPendingDelivery, type AlertEntry, type DeliveryEntry } from './alert-entry';
import { groupKey, requestKey } from './group-keys';
import { outcomeOf, requestMs, timestampOf } from './event-text';

/** Groups that may be open at once; beyond it the oldest is closed early. Each takes about 1 KB of memory. */
const OPEN_MAX = 20_000;
/** Requests of one group whose further stages are recognised. */
const REQUESTS_MAX = 1_000;
/** Audit ids that are told of a group. */
const AUDIT_IDS_MAX = 10;
/** A group that goes on for so many windows is closed, so that its next alert is told as news. */
const WINDOWS_MAX = 12;

const NONE: readonly string[] = [];

/** Alerts that are told of as one. */
export interface Group {
  readonly first: AlertEntry;
  count: number;
  firstSeenMs: number;
  lastSeenMs: number;
  outcome: string;
  /** Grows with each repeat and each outcome; 0 is the first alert alone. */
  revision: number;
  /** Those of repeats, the first few. */
  auditIds: readonly string[];
  /** Undefined once nothing joins it any more. */
  open: OpenGroup | undefined;
}

interface OpenGroup {
  readonly key: string;
  readonly openedAtMs: number;
  windowStartMs: number;
  /** What the group had come to when the window began. */
  windowRevision: number;
  /** A further alert of the same key begins a new group. */
  isClosing: boolean;
  /** Keys of the requests whose further stages are recognised. */
  requests: readonly string[];
  /** The last update to each receiver that had one. Most groups have none, and an empty map takes 200 bytes. */
  updates: Map<string, DeliveryEntry> | undefined;
}

/** Where an alert belongs. */
export interface Place {
  readonly group: Group;
  readonly kind: AlertKind.REPEAT | AlertKind.STAGE;
}

/** Groups that alerts may still join. */
export class Groups {
  /** Groups that were closed before their time, for want of room. */
  closedEarlyCount = 0;
  readonly #windowMs: number;
  readonly #byKey = new Map<string, Group>();
  readonly #byRequest = new Map<string, Group>();
  /** By the start of their window. */
  readonly #windows = new Set<Group>();

  /** @param windowMs - 0: every alert goes out by itself */
  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  get size(): number {
    return this.#windows.size;
  }

  get isOff(): boolean {
    return this.#windowMs === 0;
  }

  /** Where an alert belongs; undefined if it is the first of its group. */
  find(alert: Alert): Place | undefined {
    const request = requestKey(alert);
    const sameRequest = request === undefined ? undefined : this.#byRequest.get(request);
    if (sameRequest) return { group: sameRequest, kind: AlertKind.STAGE };
    const group = this.#byKey.get(groupKey(alert));
    return group && { group, kind: AlertKind.REPEAT };
  }

  /** Begins a group. */
  open(first: AlertEntry, alert: Alert): void {
    if (this.isOff) return;
    const key = groupKey(alert);
    const seenMs = requestMs(alert.event) ?? first.raisedAtMs;
    const group: Group = {
      ...newGroup(first, { firstSeenMs: seenMs, lastSeenMs: seenMs }),
      outcome: outcomeOf(alert.event),
      open: openGroup(key, first.raisedAtMs),
    };
    first.group = group;
    const before = this.#byKey.get(key);
    if (before) this.#retire(before);
    this.#byKey.set(key, group);
    this.#windows.add(group);
    this.#rememberRequest(group, alert);
    const [oldest] = this.#windows;
    if (this.#windows.size > OPEN_MAX && oldest) {
      this.closedEarlyCount += 1;
      if (untold(oldest).length === 0) this.close(oldest);
      else this.#retire(oldest);
    }
  }

  /** An alert joins the group of another one, which may have been closed while it was written down. */
  join(first: AlertEntry, kind: AlertKind.REPEAT | AlertKind.STAGE, raised: Joining): void {
    if (this.isOff) return;
    const { alert, raisedAtMs } = raised;
    const group = first.group?.open ? first.group : this.#reopen(first, raised);
    const outcome = outcomeOf(alert.event);
    if (kind === AlertKind.REPEAT) {
      const seenMs = requestMs(alert.event) ?? raisedAtMs;
      group.count += 1;
      group.firstSeenMs = Math.min(group.firstSeenMs, seenMs);
      group.lastSeenMs = Math.max(group.lastSeenMs, seenMs);
      group.revision += 1;
      const auditId = alert.event?.auditId;
      if (auditId && group.auditIds.length < AUDIT_IDS_MAX - 1) {
        group.auditIds = [...group.auditIds, auditId];
      }
      this.#rememberRequest(group, alert);
    } else if (outcome !== '' && outcome !== group.outcome) {
      group.revision += 1;
    }
    if (outcome !== '') group.outcome = outcome;
  }

  /** Groups whose window is over. */
  due(nowMs: number): Group[] {
    const found: Group[] = [];
    for (const group of this.#windows) {
      const { open } = group;
      if (open === undefined) continue;
      if (nowMs - open.windowStartMs >= this.#windowMs || open.isClosing) found.push(group);
      else break;
    }
    return found;
  }

  /** After its window: goes on with the next one, or is closed if nothing came, or it goes on for too long. */
  turn(group: Group, nowMs: number): void {
    const { open } = group;
    if (open === undefined) return;
    const isQuiet = group.revision === open.windowRevision;
    const isOld = nowMs - open.openedAtMs >= WINDOWS_MAX * this.#windowMs;
    const isOver = isQuiet || isOld || open.isClosing;
    if (isOver && isSettled(group)) {
      this.close(group);
      return;
    }
    if (isOld) this.#retire(group);
    open.windowStartMs = nowMs;
    open.windowRevision = group.revision;
    this.#windows.delete(group);
    this.#windows.add(group);
  }

  /** Nothing joins it any more. */
  close(group: Group): void {
    const { open } = group;
    if (open === undefined) return;
    if (this.#byKey.get(open.key) === group) this.#byKey.delete(open.key);
    for (const request of open.requests) this.#byRequest.delete(request);
    this.#windows.delete(group);
    group.open = undefined;
    // One that nothing joined says no more than its alert.
    if (group.revision === 0 && group.count === 1) group.first.group = undefined;
  }

  /** What joined it too late is told like the rest, at the end of a window; nothing more joins. */
  #reopen(first: AlertEntry, { alert, raisedAtMs }: Joining): Group {
    const { seenAtMs } = first;
    const seen = { firstSeenMs: seenAtMs, lastSeenMs: seenAtMs };
    const group = (first.group ??= newGroup(first, seen));
    group.open = { ...openGroup(groupKey(alert), raisedAtMs), isClosing: true };
    group.open.windowRevision = group.revision;
    this.#windows.add(group);
    return group;
  }

  /** No new alert joins it, but what it has come to is still to be told. */
  #retire(group: Group): void {
    if (group.open === undefined) return;
    group.open.isClosing = true;
    if (this.#byKey.get(group.open.key) === group) this.#byKey.delete(group.open.key);
  }

  #rememberRequest(group: Group, alert: Alert): void {
    const request = requestKey(alert);
    if (request === undefined || group.open === undefined) return;
    if (group.open.requests.length >= REQUESTS_MAX) return;
    // Most groups have one: an array that grows would take room for many.
    group.open.requests = [...group.open.requests, request];
    this.#byRequest.set(request, group);
  }
}

function newGroup(
  first: AlertEntry,
  { firstSeenMs, lastSeenMs }: Pick<Group, 'firstSeenMs' | 'lastSeenMs'>,
): Group {
  return {
    ...{ first, count: 1, firstSeenMs, lastSeenMs, outcome: '', revision: 0 },
    ...{ auditIds: NONE, open: undefined },
  };
}

function openGroup(key: string, openedAtMs: number): OpenGroup {
  return {
    ...{ key, openedAtMs, windowStartMs: openedAtMs, windowRevision: 0, isClosing: false },
    ...{ requests: NONE, updates: undefined },
  };
}

/** What joins a group. */
export interface Joining {
  readonly alert: Alert;
  readonly raisedAtMs: number;
}

/** Receivers that are to be told what a group has come to. Those that still wait for the last word get this one instead. */
export function untold(group: Group): string[] {
  return group.first.deliveries
    .filter(({ receiver, isDigested }) => {
      if (isDigested) return false;
      const last = lastDelivery(group, receiver);
      return last !== undefined && !isPendingDelivery(last) && last.revision < group.revision;
    })
    .map(({ receiver }) => receiver);
}

/** What a group has come to. */
export function summaryOf(group: Group, first: Alert | undefined): AlertSummary {
  const auditId = first?.event?.auditId;
  return {
    count: group.count,
    firstSeen: timestampOf(group.firstSeenMs),
    lastSeen: timestampOf(group.lastSeenMs),
    outcome: group.outcome || outcomeOf(first?.event),
    auditIds: [...(auditId ? [auditId] : []), ...group.auditIds],
    eventKeys: [],
  };
}

/** An instant of the journal, as of a single alert without a group. */
export function summaryOfOne(alert: Alert | undefined, raisedAtMs: number): AlertSummary {
  const seen: Timestamp = timestampOf(requestMs(alert?.event) ?? raisedAtMs);
  const auditId = alert?.event?.auditId;
  return {
    count: 1,
    firstSeen: seen,
    lastSeen: seen,
    outcome: outcomeOf(alert?.event),
    auditIds: auditId ? [auditId] : [],
    eventKeys: [],
  };
}

/** True if every receiver knows what the group has come to. */
function isSettled(group: Group): boolean {
  return group.first.deliveries.every(({ receiver, isDigested }) => {
    const last = lastDelivery(group, receiver);
    if (isDigested || last === undefined) return true;
    return !isPendingDelivery(last) && last.revision >= group.revision;
  });
}

function lastDelivery(group: Group, receiver: string): DeliveryEntry | undefined {
  const own = group.first.deliveries.find((one) => one.receiver === receiver);
  return group.open?.updates?.get(receiver) ?? own;
}
