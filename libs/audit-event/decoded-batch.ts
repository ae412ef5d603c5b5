import type { EventBatch, Source } from '@auditing/proto/event';
import type { DecodedEvent } from './decoded-event';

/** Keeps the events of a batch beside it, so that nothing in this process parses them again. */
export declare function rememberDecoded(batch: EventBatch, events: readonly DecodedEvent[]): void;
/** The events of a batch: remembered ones, else out of its block. */
export declare function decodedEvents(
  batch: EventBatch,
  listSource: Source,
): Promise<readonly DecodedEvent[]>;
export declare function forgetDecoded(batch: EventBatch): void;
