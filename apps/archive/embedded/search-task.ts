import type { EventSearch, RecordToSearch } from './event-search';

/** Some records to look through, as a thread gets them. */
export interface SearchTask {
  readonly id: number;
  readonly search: EventSearch;
  readonly records: readonly RecordToSearch[];
}

/** Smaller memory may be of the pool of Buffer, which others have parts of. */
const OWN_MIN_BYTES = 64 * 1024;

/** A task, and the memory that goes to the thread with it. */
export interface HandedOver {
  readonly task: SearchTask;
  readonly memory: readonly ArrayBuffer[];
}

/**
 * What was read of the log for a task goes to the thread as it is: a copy would leave it here, dead, and some 30 MiB of the
 * like come together before they are collected. Where records are the lesser part of what was read, they alone are copied.
 * The records given are not to be used any more.
 */
export function handedOver(task: SearchTask): HandedOver {
  const usedBytes = new Map<ArrayBufferLike, number>();
  for (const { data } of task.records)
    usedBytes.set(data.buffer, (usedBytes.get(data.buffer) ?? 0) + data.length);
  const goes = (buffer: ArrayBufferLike): boolean =>
    buffer.byteLength >= OWN_MIN_BYTES && 2 * (usedBytes.get(buffer) ?? 0) >= buffer.byteLength;
  const records = task.records.map(({ data, events }) => ({
    data: goes(data.buffer) ? data : new Uint8Array(data),
    events,
  }));
  const memory = new Set(records.map(({ data }) => data.buffer as ArrayBuffer));
  return { task: { ...task, records }, memory: [...memory] };
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
