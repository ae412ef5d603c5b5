// A thread that looks through events for text (search-threads.ts). Bundled as a program of its own: tools/bundle.mjs.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { parentPort } from 'node:worker_threads';

import { DamagedRecordError, fittingEvents } from './event-search';
import { READY, type SearchAnswer, type SearchFindings, type SearchTask } from './search-task';

/**
 * Expanded blocks lie outside the heap, which tells the collector little of them: by itself it would let 64 MB of them come
 * together in each thread. When so many bytes of records were expanded, to six times as much, the dead ones are let go of.
 */
const COLLECT_AFTER_BYTES = 2 ** 20;

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
  expandedBytes += task.bytes.length;
  if (expandedBytes < COLLECT_AFTER_BYTES) return;
  expandedBytes = 0;
  collect({ type: 'minor' });
}

async function findAll({ search, bytes, records }: SearchTask): Promise<SearchFindings> {
  const found: (readonly number[] | string)[] = [];
  let end = 0;
  for (const { length, events } of records) {
    const data = Buffer.from(bytes.buffer, bytes.byteOffset + end, length);
    end += length;
    found.push(await fittingEvents(search, { data, events }).catch(damageOf));
  }
  return found;
}

/** Why a record cannot be read. What is no damage is a fault of the search: it must not pass for one. */
function damageOf(error: unknown): string {
  if (error instanceof DamagedRecordError) return error.message;
  throw error;
}
