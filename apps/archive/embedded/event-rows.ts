import type { EventSearch, RecordToSearch } from './event-search';
import type { Pace } from './pace';
import type { RecordReader } from './record-reader';
import type { SearchThreads } from './search-threads';
import { recordOf, type RecordRows } from './row-places';
import type { IndexedSegment } from './segment-index';

/** Records that are read and expanded (in threads of the runtime) while one is looked at. */
const AHEAD_RECORDS = 6;

/** Records that are searched together hold about so many bytes of the log: little beside what a thread has to do for them. */
const TASK_BYTES = 512 * 1024;

/** Most that is read of the log at once, unless a record is larger. */
const READ_MAX_BYTES = 2 ** 20;

/** What reading events takes. */
export interface EventReading {
  readonly pace: Pace;
  readonly reader: RecordReader;
  readonly threads: SearchThreads;
}

/** Leaves the rows whose events fit; rows of damaged records are passed over. */
export async function filterByEvents(
  segment: IndexedSegment,
  rows: Uint32Array,
  { search, pace, reader, threads }: EventReading & { readonly search: EventSearch },
): Promise<Uint32Array> {
  const tasks = tasksOf(byRecord(await segment.records(), rows));
  const fitting = await Promise.all(
    tasks.map(async (task) => {
      // Of the records that can be read.
      let groups: readonly RowsOfRecord[] = [];
      const load = async (): Promise<readonly RecordToSearch[]> => {
        const loaded = await loadRecords(task, rows, reader);
        groups = loaded.map(({ group }) => group);
        return loaded;
      };
      const found = await threads.find(search, load, pace);
      return groups.flatMap(({ at }, index) => {
        const one = found[index] ?? [];
        if (!(one instanceof Error)) return one.map((event) => at.firstRow + event);
        reader.reportUnreadable(at.position, one);
        return [];
      });
    }),
  );
  return Uint32Array.from(fitting.flat());
}

async function loadRecords(
  task: readonly RowsOfRecord[],
  rows: Uint32Array,
  reader: RecordReader,
): Promise<readonly (RecordToSearch & { readonly group: RowsOfRecord })[]> {
  const positions = task.map(({ at }) => at.position);
  const data = await reader.readData(positions, readBytes(task));
  return task.flatMap((group, index) => {
    const one = data[index];
    if (one === undefined) return [];
    return [{ group, data: one, events: eventsOf(group, rows) }];
  });
}

function eventsOf(
  { at, begin, end }: RowsOfRecord,
  rows: Uint32Array,
): readonly number[] | undefined {
  if (end - begin === at.endRow - at.firstRow) return undefined;
  return Array.from(rows.subarray(begin, end), (row) => row - at.firstRow);
}

/** Groups that are searched together. */
function tasksOf(groups: readonly RowsOfRecord[]): readonly (readonly RowsOfRecord[])[] {
  const tasks: RowsOfRecord[][] = [];
  let bytes = Infinity;
  for (const group of groups) {
    bytes += bytesOf(group);
    if (bytes > TASK_BYTES) {
      tasks.push([]);
      bytes = bytesOf(group);
    }
    tasks.at(-1)?.push(group);
  }
  return tasks;
}

/** How much to read at once: records that lie side by side together, others one by one. */
function readBytes(task: readonly RowsOfRecord[]): number {
  const sizes = task.map(bytesOf);
  const span = (task.at(-1)?.at.end ?? 0) - (task[0]?.at.position ?? 0);
  const isDense = span <= 2 * sizes.reduce((sum, size) => sum + size, 0);
  return Math.min(READ_MAX_BYTES, isDense ? span : Math.max(...sizes));
}

function bytesOf({ at }: RowsOfRecord): number {
  return at.end - at.position;
}

/**
 * The bytes of the events of rows, ascending; rows of damaged records are passed over. Each record is read once, and the
 * next ones while it is looked at.
 */
export async function* eventsOfRows(
  segment: IndexedSegment,
  rows: Uint32Array,
  { pace, reader }: Pick<EventReading, 'pace' | 'reader'>,
): AsyncIterable<{ readonly row: number; readonly bytes: Buffer }> {
  const groups = byRecord(await segment.records(), rows);
  const read = ({ at }: RowsOfRecord): ReturnType<RecordReader['readEvents']> => {
    const events = reader.readEvents(at.position);
    // Whoever comes to it gets the error.
    events.catch(() => undefined);
    return events;
  };
  const reading = groups.slice(0, AHEAD_RECORDS).map(read);
  for (const [index, { at, begin, end }] of groups.entries()) {
    const ahead = groups[index + AHEAD_RECORDS];
    if (ahead !== undefined) reading.push(read(ahead));
    await pace.breathe();
    const events = await reading.shift();
    if (events === undefined) continue;
    for (let place = begin; place < end; place += 1) {
      const row = rows[place] ?? 0;
      const bytes = events[row - at.firstRow];
      if (bytes !== undefined) yield { row, bytes };
    }
  }
}

interface RowsOfRecord {
  readonly at: RecordRows;
  /** Where its rows stand in the list of rows. */
  readonly begin: number;
  readonly end: number;
}

function byRecord(records: Parameters<typeof recordOf>[0], rows: Uint32Array): RowsOfRecord[] {
  const groups: RowsOfRecord[] = [];
  let begin = 0;
  while (begin < rows.length) {
    const at = recordOf(records, rows[begin] ?? 0);
    let end = begin + 1;
    while (end < rows.length && (rows[end] ?? 0) < at.endRow) end += 1;
    groups.push({ at, begin, end });
    begin = end;
  }
  return groups;
}
