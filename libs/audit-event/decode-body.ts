import type { Source } from '@auditing/proto/event';
import type { DecodedEvent } from './decoded-event';
import type { BadItem } from './split-body';

export interface DecodeOptions {
  /** Longest time without giving way to the event loop, in milliseconds. Default 5. */
  readonly yieldEveryMs?: number;
  readonly signal?: AbortSignal;
}

/** A body, read. */
export interface DecodedBody {
  readonly events: DecodedEvent[];
  readonly badItems: BadItem[];
  readonly listSource: Source;
}

/** Rejects with BodyError when no event can be read from the body. */
export declare function decodeBody(body: Buffer, options?: DecodeOptions): Promise<DecodedBody>;
