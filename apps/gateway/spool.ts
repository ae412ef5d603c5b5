import type { EventBatch, Source } from '@auditing/proto/event';

/** One part of a body, durable, waiting to be drained. */
export interface SpoolPart {
  /** Where it lies in the spool. */
  readonly position: number;
  /** Position after it: the cursor once it is done with. */
  readonly next: number;
  /**
   * Its id, received_at_us, event_count, block and slice_bytes; the rest is derived when it is drained. If the
   * part is fresh, its decoded events are remembered (`@auditing/audit-event/decoded-batch`).
   */
  readonly batch: EventBatch;
  /** Who emitted those events whose own keys do not say so. */
  readonly listSource: Source;
}

/** What is written of a body beside its events. */
export interface BodyMeta {
  /** When the gateway had the whole body, in microseconds since 1970 (UTC). */
  readonly receivedAtUs: number;
  /** SHA-256 of the whole body, by which a re-sent copy is known. */
  readonly bodyHash: Buffer;
}

/** Thrown when the spool has no room: its limit is reached or the disk is full. */
export class SpoolFullError extends Error {
  override readonly name = 'SpoolFullError';
}

/** Thrown when the disk failed; a later put may succeed. */
export class SpoolFailedError extends Error {
  override readonly name = 'SpoolFailedError';
}

/** Bodies answered with 200 that have not been drained, in the order in which they came. */
export interface Spool {
  /** 16 random hexadecimal digits, new whenever the spool is opened. */
  readonly epoch: string;
  /** Position of the oldest part that is still there. */
  readonly start: number;
  /** Durable end: parts at or beyond it do not exist yet. */
  readonly end: number;
  /** Bytes on disk. */
  readonly bytes: number;
  /**
   * Parts from a position on, strictly in order, waiting for more until `signal` aborts (then it ends without
   * error). Fresh parts come from memory, older ones from disk. Any number of readers may iterate at once.
   */
  parts(from: number, signal: AbortSignal): AsyncIterable<SpoolPart>;
  /** Removes what lies before `position`, as far as whole segments go. */
  trim(position: number): Promise<void>;
  close(): Promise<void>;
}
