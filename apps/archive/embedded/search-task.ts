import type { EventSearch } from './event-search';

/** Some records to look through, as a thread gets them. */
export interface SearchTask {
  readonly id: number;
  readonly search: EventSearch;
  /** The records, back to back. */
  readonly bytes: Uint8Array;
  readonly records: readonly { readonly length: number; readonly events: readonly number[] }[];
}

/** What a thread found. */
export interface SearchAnswer {
  readonly id: number;
  /** For each record the events that fit, or why it cannot be read. */
  readonly found: readonly (readonly number[] | string)[];
}

/** What a thread says first, when it can take tasks. */
export const READY = 'ready';
