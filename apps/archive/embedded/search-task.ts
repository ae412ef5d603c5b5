import type { EventSearch } from './event-search';

/** Some records to look through, as a thread gets them. */
export interface SearchTask {
  readonly id: number;
  readonly search: EventSearch;
  /** The records, back to back. */
  readonly bytes: Uint8Array;
  readonly records: readonly {
    readonly length: number;
    readonly events: readonly number[] | undefined;
  }[];
}

/** What came of a task. */
export type SearchAnswer =
  | {
      readonly id: number;
      /** For each record the events that fit, or why it cannot be read. */
      readonly found: readonly (readonly number[] | string)[];
    }
  | {
      readonly id: number;
      /** The error of the search itself, with its stack. */
      readonly failure: unknown;
    };

/** What was found, if the search did not fail. */
export type SearchFindings = Extract<SearchAnswer, { found: unknown }>['found'];

/** What a thread says first, when it can take tasks. */
export const READY = 'ready';
