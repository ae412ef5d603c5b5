// Opens the archive in the folder named, with search threads of the program named, and asks it something of each kind, in a process of its own. Prints JSON: `openMs`,
// `indexBytes` and `rssBytes`. Started by bench-archive.mjs.
import { availableParallelism } from 'node:os';
import { pathToFileURL } from 'node:url';
import { nodeFiles } from '@auditing/journal/node-files';
import { Field } from '@auditing/proto/event';
import { Query, SearchRequest } from '@auditing/proto/archive';
import { openEmbeddedEngine } from '../apps/archive/embedded/embedded-engine';
import { SearchThreads } from '../apps/archive/embedded/search-threads';

const silent = () => undefined;
const { signal } = new AbortController();
const threads = new SearchThreads({
  script: pathToFileURL(process.argv[3]),
  count: Math.min(4, availableParallelism()),
  log: { warn: console.error },
});
const begin = performance.now();
const engine = await openEmbeddedEngine({
  directory: process.argv[2],
  files: nodeFiles,
  log: { info: silent, warn: console.error, error: console.error },
  segment: { bytes: 64 * 2 ** 20, rows: 258_048, indexBytes: 64 * 2 ** 20, ageMs: 2 ** 45 },
  retention: { ageMs: 2 ** 45, bytes: 2 ** 50 },
  indexCacheBytes: 96 * 2 ** 20,
  queryTimeoutMs: 600_000,
  threads,
  now: Date.now,
});
await engine.stats();
const openMs = performance.now() - begin;
for (const field of [Field.USER, Field.VERB, Field.NAME, Field.CODE])
  await engine.facets({ query: Query.create(), field, limit: 20 }, signal);
await engine.histogram({ query: Query.create(), intervalSeconds: 3600 }, signal);
for (const text of ['', 'not to be found']) {
  const query = Query.create({ text });
  const request = SearchRequest.create({ query, limit: 100, includeRaw: true });
  for await (const part of engine.search(request, signal)) void part;
}
const indexBytes = engine.gauges().memoryBytes;
const rssBytes = process.memoryUsage().rss;
console.log(JSON.stringify({ openMs, indexBytes, rssBytes }));
await engine.close();
await threads.close();
