import { DeliveryState, type AlertKind } from '@auditing/proto/alert';
import type { Priority } from '@auditing/proto/event';
import type { Group } from './group';

/** An alert in memory: where it lies in the journal, and what is asked of it often. The rest is read when needed. */
export interface AlertEntry {
  /** Where its record is in the journal. */
  readonly position: number;
  /** 32 bytes as latin1 text: a quarter of what a Buffer takes. */
  readonly id: string;
  readonly kind: AlertKind;
  readonly rule: string;
  readonly priority: Priority;
  readonly raisedAtMs: number;
  /** When its event was received; when it was raised if that is not known. */
  readonly receivedAtMs: number;
  /** When its request was received, as its event says; when it was raised if it does not. */
  readonly seenAtMs: number;
  /** One a receiver; the fallback may join later. */
  deliveries: readonly DeliveryEntry[];
  /** What it is told of with; undefined if it stands for itself. */
  group: Group | undefined;
}

/** One alert on its way to one receiver. */
export interface DeliveryEntry {
  readonly alert: AlertEntry;
  readonly receiver: string;
  /** True if a digest tells of it. */
  readonly isDigested: boolean;
  state: DeliveryState;
  attemptCount: number;
  /** Why the last try failed, or why it is dead. */
  lastError: string;
  /** When it was delivered or given up. */
  endedAtMs: number;
  /** The instance that took it; empty until one did. */
  acceptedBy: string;
  /** Since when it is pending: it grows too old from here. */
  pendingSinceMs: number;
  /** Not tried before this moment: it failed by itself, not with its receiver. */
  notBeforeMs: number;
  /** True if it failed while requests were of one alert: it is sent alone from then on. */
  hasFailedAlone: boolean;
  /** What of its group it told, when it was sent the last time. */
  revision: number;
  /** The delivery of the digest that tells of it, once there is one. */
  digest: DeliveryEntry | undefined;
  /** Of a digest: the deliveries it tells of. */
  members: readonly DeliveryEntry[];
  suppression: Suppression | undefined;
}

/** Why Alertmanager tells nobody of an alert. */
export interface Suppression {
  readonly silencedBy: readonly string[];
  readonly inhibitedBy: readonly string[];
}

const NO_MEMBERS: readonly DeliveryEntry[] = [];

/** A delivery that has not been tried. */
export function newDelivery(
  alert: AlertEntry,
  { receiver, isDigested }: Pick<DeliveryEntry, 'receiver' | 'isDigested'>,
): DeliveryEntry {
  return {
    alert,
    receiver,
    isDigested,
    state: DeliveryState.PENDING,
    attemptCount: 0,
    lastError: '',
    endedAtMs: 0,
    acceptedBy: '',
    pendingSinceMs: alert.raisedAtMs,
    notBeforeMs: 0,
    hasFailedAlone: false,
    revision: 0,
    digest: undefined,
    members: NO_MEMBERS,
    suppression: undefined,
  };
}

export function isPendingDelivery({ state }: DeliveryEntry): boolean {
  return state === DeliveryState.PENDING;
}

/** True if some receiver has not had it yet. */
export function isPendingAlert({ deliveries }: AlertEntry): boolean {
  return deliveries.some(isPendingDelivery);
}

/** True if some delivery of it was given up. */
export function isDeadAlert({ deliveries }: AlertEntry): boolean {
  return deliveries.some(({ state }) => state === DeliveryState.DEAD);
}
