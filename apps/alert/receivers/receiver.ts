import type { AlertKind, AlertSummary, ReceiverInstance } from '@auditing/proto/alert';
import type { RaisedAlert } from '@auditing/proto/outbox';
import type { Receiver as ReceiverSpec } from '@auditing/proto/rule';
import type { Logger } from 'pino';
import type { TextOptions } from './alert-text';
import type { BlockedAddresses } from './blocked-addresses';
import type { Instance } from './instance';
import type { Silence } from './read-silences';
import type { ShownAlert } from './shown-alert';
import type { TestWays } from './test-ways';

/** One delivery, ready to go out. */
export interface Outgoing {
  readonly raised: RaisedAlert;
  readonly kind: AlertKind;
  /** What the alert and those told of with it have come to. */
  readonly summary: AlertSummary;
  /** 64 hexadecimal digits: the same at each try. */
  readonly deliveryId: string;
}

/** What a receiver said to a request. */
export type Answer =
  /** It has all of them now; `by` is the instance that took them first, without user name and password. */
  | { readonly kind: 'taken'; readonly by: string }
  /** It may take them later: the same request is sent again. */
  | { readonly kind: 'retry'; readonly reason: string; readonly retryAfterMs?: number }
  /** It will never take this request as it is; some of its alerts may have been taken. */
  | { readonly kind: 'refused'; readonly reason: string };

/** An open way to one receiver. */
export interface Receiver {
  /** Alerts in one request, at most. */
  readonly batchMax: number;
  /** Requests under way at once, at most. */
  readonly concurrency: number;
  /** Sends one request. Never rejects but with CANCELLED, when the signal aborts. */
  readonly send: (batch: readonly Outgoing[], signal: AbortSignal) => Promise<Answer>;
  /** Its servers and how they fare, where it has several. */
  readonly instances?: () => ReceiverInstance[];
  /** What a receiver needs that remembers alerts, and forgets them. */
  readonly keeping?: Keeping;
  /** What a test goes through step by step; undefined for a receiver that cannot be used. */
  readonly test?: TestWays;
  /** Gives up what goes on behind, closes connections. */
  readonly close: () => Promise<void>;
}

/** The care of alerts that were delivered. */
export interface Keeping {
  /** How long an alert lasts from when it was sent. */
  readonly holdMs: number;
  /** Instances that may lack alerts, because they or this service were started anew; they are, until they are settled. */
  readonly lacking: (signal: AbortSignal) => Promise<readonly Instance[]>;
  /** Sends alerts again with their ends; to one instance, or to all of them. True if each took them. */
  readonly resend: (
    alerts: readonly Sent[],
    instance: Instance | undefined,
    signal: AbortSignal,
  ) => Promise<boolean>;
  /** What an instance shows of our alerts; undefined if none answers. */
  readonly shown: (
    filter: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ) => Promise<readonly ShownAlert[] | undefined>;
  /** The silences in force, as an instance has them; undefined if none answers. */
  readonly silences: (signal: AbortSignal) => Promise<readonly Silence[] | undefined>;
}

/** An alert that was sent, and when it ends. */
export interface Sent {
  readonly outgoing: Outgoing;
  readonly endsAtMs: number;
}

/** How receivers are opened, besides what the Webhook resource says of each. */
export interface ReceiverOptions {
  readonly log: Logger;
  /** How long Alertmanager shows an alert as firing, from the time it is sent. */
  readonly holdMs: number;
  /** A try without an answer ends after this time. */
  readonly tryTimeoutMs: number;
  readonly text: TextOptions;
  /** Folder of the secrets that receivers refer to. */
  readonly secretsDir: string;
  /** Told of a receiver one of whose servers is owed too much, and how many alerts it is owed no more. */
  readonly onOverflow: (receiver: string, alertCount: number) => void;
  /** Where no receiver may be. */
  readonly blocked: BlockedAddresses;
}

/** Opens a receiver of one type. Throws Error, with what to change, if the resource says nonsense. */
export type OpenReceiver = (spec: ReceiverSpec, options: ReceiverOptions) => Receiver;
