// A thread that looks through events for text (search-threads.ts). Bundled as a program of its own: tools/bundle.mjs.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { parentPort } from 'node:worker_threads';

import {
  compileSearch,
  DamagedRecordError,
  expandRecord,
  type RecordTest,
  type RecordToSearch,
} from './event-search';
import { READY, type SearchAnswer, type SearchFindings, type SearchTask } from './search-task';

/**
 * Expanded blocks lie outside the heap, which tells the collector little of them: by itself it would let 64 MB of them come
 * together in each thread. When so many bytes were expanded, the dead ones are let go of: the allocator has their memory at
 * hand for the next blocks, and the kernel need not clear new pages for each. A collection takes about a millisecond, as long
 * as two or three blocks: one after every few of them would cost more than it saves.
 */
const COLLECT_AFTER_BYTES = 12 * 2 ** 20;

// Not a flag of the command line, which would give `gc` to all code of the process, and which each start would have to know.
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as (options: { readonly type: 'minor' }) => void;
let expandedBytes = 0;

parentPort?.on('message', (task: SearchTask | undefined) => {
  if (task === undefined) parentPort?.close();
  else void answer(task);
});

parentPort?.postMessage(READY);

async function answer(task: SearchTask): Promise<void> {
  const { id } = task;
  const message = await findAll(task).then(
    (found): SearchAnswer => ({ id, found }),
    (failure: unknown): SearchAnswer => ({ id, failure }),
  );
  parentPort?.postMessage(message);
}

/** One record is expanded, in a thread of the runtime, while the one before it is looked at. */
async function findAll({ search, records }: SearchTask): Promise<SearchFindings> {
  const test = await compileSearch(search);
  const found: (readonly number[] | string)[] = [];
  let previous: Promise<readonly number[] | string> | undefined;
  for (const record of records) {
    const next = findIn(test, record);
    // Whoever comes to it gets the error.
    next.catch(() => undefined);
    if (previous !== undefined) found.push(await previous);
    previous = next;
  }
  if (previous !== undefined) found.push(await previous);
  return found;
}

async function findIn(
  test: RecordTest,
  record: RecordToSearch,
): Promise<readonly number[] | string> {
  try {
    const raw = await expandRecord(record);
    const found = test(record, raw);
    letGoOf(raw.length);
    return found;
  } catch (error) {
    // What is no damage is a fault of the search: it must not pass for one.
    if (error instanceof DamagedRecordError) return error.message;
    throw error;
  }
}

function letGoOf(bytes: number): void {
  expandedBytes += bytes;
  if (expandedBytes < COLLECT_AFTER_BYTES) return;
  expandedBytes = 0;
  collect({ type: 'minor' });
}
