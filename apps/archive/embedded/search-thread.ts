// A thread that looks through events for text (search-threads.ts). Bundled as a program of its own: tools/bundle.mjs.
import { parentPort } from 'node:worker_threads';

import { fittingEvents } from './event-search';
import { READY, type SearchAnswer, type SearchTask } from './search-task';

parentPort?.on('message', (task: SearchTask | undefined) => {
  if (task === undefined) parentPort?.close();
  else void answer(task);
});

parentPort?.postMessage(READY);

async function answer({ id, search, bytes, records }: SearchTask): Promise<void> {
  const found: SearchAnswer['found'][number][] = [];
  let end = 0;
  for (const { length, events } of records) {
    const data = Buffer.from(bytes.buffer, bytes.byteOffset + end, length);
    end += length;
    found.push(await fittingEvents(search, { data, events }).catch(String));
  }
  parentPort?.postMessage({ id, found } satisfies SearchAnswer);
}
