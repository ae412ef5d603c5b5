import type { RaisedAlert } from '@auditing/proto/outbox';
import type { Receiver as ReceiverSpec } from '@auditing/proto/rule';
import type { Logger } from 'pino';

/** One delivery, ready to go out. */
export interface Outgoing {
  readonly raised: RaisedAlert;
  /** 64 hexadecimal digits: the same at each try. */
  readonly deliveryId: string;
}

/** What a receiver said to a request. */
export type Answer =
  /** It has all of them now. */
  | { readonly kind: 'taken' }
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
  /** Gives up what goes on behind, closes connections. */
  readonly close: () => Promise<void>;
}

/** How receivers are opened, besides what the Webhook resource says of each. */
export interface ReceiverOptions {
  readonly log: Logger;
  /** How long Alertmanager shows an alert as firing, from the time it is sent. */
  readonly holdMs: number;
  /** A try without an answer ends after this time. */
  readonly tryTimeoutMs: number;
}

/** Opens a receiver of one type. Throws Error, with what to change, if the resource says nonsense. */
export type OpenReceiver = (spec: ReceiverSpec, options: ReceiverOptions) => Receiver;
