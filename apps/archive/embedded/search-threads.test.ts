import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';

import { KeptBatch, Match, Query, SearchRequest, type Condition } from '@auditing/proto/archive';
import { Codec, Field } from '@auditing/proto/event';
import { pino } from 'pino';

import { batchOf, eventBytes } from '../testing/batches';
import { found, never, openEngine } from '../testing/engines';
import { searchThreadScript } from '../testing/search-thread-script';
import type { EmbeddedEngine } from './embedded-engine';
import type { RecordToSearch } from './event-search';
import { Pace } from './pace';
import { SearchThreads } from './search-threads';

const EVENTS = Array.from({ length: 200 }, (_, index) =>
  eventBytes({
    auditId: `id-${index}`,
    atUs: index,
    namespace: index % 3 === 0 ? 'theirs' : 'ours',
    note: index % 7 === 0 ? 'needle' : 'hay',
    uri: `/api/v1/pods/${index % 10}`,
  }),
);

let directory: string;
let script: URL;
beforeAll(async () => {
  script = await searchThreadScript();
  directory = await mkdtemp(join(tmpdir(), 'archive-'));
  const engine = await openEngine({ directory });
  for (let first = 0; first < EVENTS.length; first += 10)
    await engine.append(await batchOf(EVENTS.slice(first, first + 10)), 0n);
  await engine.close();
});
afterAll(() => rm(directory, { recursive: true }));

interface Opened {
  readonly engine: EmbeddedEngine;
  readonly threads: SearchThreads;
  readonly warnings: string[];
  readonly close: () => Promise<void>;
}

async function open(
  program: URL,
  count: number,
  { folder = directory, idleMs = 2 ** 30 } = {},
): Promise<Opened> {
  const warnings: string[] = [];
  const threads = new SearchThreads({
    script: program,
    count,
    idleMs,
    log: pino({ level: 'warn' }, { write: (line) => warnings.push(line) }),
  });
  const engine = await openEngine({ directory: folder, threads });
  return {
    engine,
    threads,
    warnings,
    close: async () => {
      await engine.close();
      await threads.close();
    },
  };
}

type Sketch = Parameters<typeof SearchRequest.fromPartial>[0];

async function textsOf({ engine }: Opened, request: Sketch): Promise<string[]> {
  const { events } = await found(engine, { limit: 1000, includeRaw: true, ...request });
  return events.map(({ raw }) => raw.toString());
}

/** Searches until it is so: threads start with the first search. */
async function searchUntil(opened: Opened, isSo: () => boolean): Promise<void> {
  while (!isSo()) await textsOf(opened, { query: { text: 'needle' } });
}

/** First events of the records: of nine ended segments, whose two batches were joined, and of two batches that were not. */
const RECORD_STARTS = [0, 20, 40, 60, 80, 100, 120, 140, 160, 180, 190];

const newestFirst = EVENTS.map(String).reverse();
const URI = { field: Field.REQUEST_URI, match: Match.PREFIX, values: ['/api/v1/pods/3'] };
const OURS = { namespaces: [{ name: 'ours' }], workspaces: [] };

test.each<[string, NonNullable<Sketch['query']>, (text: string) => boolean]>([
  ['text', { text: 'needle' }, (text) => text.includes('needle')],
  ['text that nothing contains', { text: 'no such thing' }, () => false],
  ['a request URI', { conditions: [URI] }, (text) => text.includes('pods/3"')],
  [
    'text and no request URI',
    { text: 'needle', conditions: [{ ...URI, negate: true }] },
    (text) => text.includes('needle') && !text.includes('pods/3"'),
  ],
  ['text that ends one event and begins the next', { text: '}}{"level' }, () => false],
  ['text that every event holds more than once', { text: 'a' }, (text) => text.includes('a')],
  [
    'text in a part of the records',
    { text: 'needle', conditions: [{ ...URI, field: Field.NAMESPACE, values: ['ours'] }] },
    (text) => text.includes('needle') && text.includes('"ours"'),
  ],
  [
    'text in a scope',
    { text: 'needle', scope: OURS },
    (text) => text.includes('needle') && text.includes('"ours"'),
  ],
])('threads find %s as the main thread does', async (_name, query, fits) => {
  const expected = newestFirst.filter(fits);
  const alone = await open(script, 0);
  expect(await textsOf(alone, { query })).toEqual(expected);
  await alone.close();
  const opened = await open(script, 2);
  await searchUntil(opened, () => opened.threads.readyCount === 2);
  expect(await textsOf(opened, { query })).toEqual(expected);
  expect(opened.warnings).toEqual([]);
  await opened.close();
});

/** A program that answers every task with what is given, and so shows that answers of threads are used. */
function programThat(answers: string): URL {
  const code = `import { parentPort } from 'node:worker_threads';
    parentPort.on('message', (task) => {
      if (task === undefined) parentPort.close();
      else ${answers};
    });
    parentPort.postMessage('ready');`;
  return new URL(`data:text/javascript,${encodeURIComponent(code)}`);
}

test('what threads say is what is found', async () => {
  const answer = `parentPort.postMessage({ id: task.id, found: task.records.map(() => [4]) })`;
  const opened = await open(programThat(answer), 1);
  await searchUntil(opened, () => opened.threads.readyCount === 1);
  expect(await textsOf(opened, { query: { text: 'needle' } })).toEqual(
    RECORD_STARTS.map((first) => String(EVENTS[first + 4])).reverse(),
  );
  await opened.close();
});

test('records that threads cannot read are passed over and counted', async () => {
  const answer = `parentPort.postMessage({ id: task.id, found: task.records.map(() => 'damaged') })`;
  const opened = await open(programThat(answer), 1);
  await searchUntil(opened, () => opened.threads.readyCount === 1);
  const before = opened.engine.gauges().damagedRecordCount;
  expect(await textsOf(opened, { query: { text: 'needle' } })).toEqual([]);
  expect(opened.engine.gauges().damagedRecordCount - before).toBe(RECORD_STARTS.length);
  await opened.close();
});

test.each([0, 1])(
  'an error of the search itself, in %d threads, is the error of the query and no damage',
  async (count) => {
    const opened = await open(script, count);
    await searchUntil(opened, () => opened.threads.readyCount === count);
    // What no request can hold, for it is checked: stands for any fault of the code that looks through events.
    const fault = { field: Field.REQUEST_URI, match: Match.PREFIX, values: [7], negate: false };
    const conditions = [fault as unknown as Condition];
    const search = opened.engine.search(
      SearchRequest.create({ query: { ...Query.create(), conditions }, limit: 10 }),
      never,
    );
    const failure = await (async () => {
      for await (const part of search) expect(part.events).toEqual([]);
    })().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(Error);
    const { cause = failure } = failure as Error;
    expect(cause).toMatchObject({ name: 'TypeError' });
    expect((cause as Error).stack).toContain('compile');
    expect(opened.engine.gauges().damagedRecordCount).toBe(0);
    expect(await textsOf(opened, { query: { text: 'needle' } })).toHaveLength(29);
    expect(opened.warnings).toEqual([]);
    await opened.close();
  },
);

test.each([
  ['a program that is not there', new URL('file:///no/such/program.mjs')],
  ['a program that throws', new URL('data:text/javascript,throw new Error("broken")')],
  ['a program that ends when it is asked', programThat('process.exit(3)')],
])('with %s everything is found, and the log says so', async (_name, program) => {
  const expected = newestFirst.filter((text) => text.includes('needle'));
  const opened = await open(program, 2);
  do {
    expect(await textsOf(opened, { query: { text: 'needle' } })).toEqual(expected);
  } while (opened.warnings.length < 2);
  expect(opened.warnings.join()).toContain('a search thread failed');
  expect(opened.threads.readyCount).toBe(0);
  expect(await textsOf(opened, { query: { text: 'needle' } })).toEqual(expected);
  await opened.close();
});

test('what a thread took along when it failed is read again', async () => {
  const opened = await open(programThat('process.exit(3)'), 1);
  const pace = new Pace(60_000, never);
  const raw = Buffer.concat(EVENTS);
  const sliceBytes = EVENTS.map(({ length }) => length);
  const block = { codec: Codec.NONE, data: raw, rawBytes: raw.length };
  const record = KeptBatch.encode(KeptBatch.fromPartial({ batch: { block, sliceBytes } })).finish();
  // Enough to be handed over, not copied.
  expect(record.length).toBeGreaterThan(2 ** 16);
  const handedOut: Uint8Array[] = [];
  const load = (): Promise<RecordToSearch[]> => {
    const data = new Uint8Array(record);
    handedOut.push(data);
    return Promise.resolve([{ data, events: undefined }]);
  };
  const search = { text: Buffer.from('id-77"'), conditions: [], wholeRecords: true };
  while (opened.warnings.length === 0)
    expect(await opened.threads.find(search, load, pace)).toEqual([[77]]);
  expect(handedOut.filter(({ length }) => length === 0)).toHaveLength(1);
  await opened.close();
});

test('a search that is given up ends, and later ones are answered', async () => {
  const opened = await open(script, 1);
  await searchUntil(opened, () => opened.threads.readyCount === 1);
  for (let time = 0; time < 20; time += 1) {
    const giveUp = new AbortController();
    const request = SearchRequest.fromPartial({ limit: 1000, reportProgress: true });
    const query = Query.fromPartial({ text: 'needle' });
    const search = opened.engine.search({ ...request, query }, giveUp.signal);
    const read = async (): Promise<void> => {
      for await (const part of search) if (part.progress) giveUp.abort();
    };
    await expect(read()).rejects.toThrow('gave up');
  }
  expect(await textsOf(opened, { query: { text: 'needle' } })).toHaveLength(29);
  await opened.close();
});

test('threads that nobody asks end, and start again with the next search', async () => {
  const opened = await open(script, 2, { idleMs: 100 });
  for (let time = 0; time < 2; time += 1) {
    await searchUntil(opened, () => opened.threads.readyCount === 2);
    while (opened.threads.readyCount > 0) await setTimeout(10);
    expect(await textsOf(opened, { query: { text: 'needle' } })).toHaveLength(29);
  }
  expect(opened.warnings).toEqual([]);
  await opened.close();
});

test('threads that end before they are ready leave no search without an answer', async () => {
  const opened = await open(script, 2, { idleMs: 0 });
  for (let time = 0; time < 10; time += 1) {
    const both = [0, 1].map(() => textsOf(opened, { query: { text: 'needle' } }));
    for (const texts of await Promise.all(both)) expect(texts).toHaveLength(29);
    await setTimeout(time % 3);
  }
  expect(opened.warnings).toEqual([]);
  await opened.close();
  expect(opened.threads.readyCount).toBe(0);
});

/** The first segment, which has a name of its own once its batches are joined. */
async function joinedFile(folder: string): Promise<string> {
  for (;;) {
    const [first = ''] = (await readdir(folder)).sort();
    if (/^\d+-\d+\.journal$/.test(first)) return join(folder, first);
    await setTimeout(10);
  }
}

test('damage that only a thread meets is counted, and the rest is found', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'archive-'));
  const before = await openEngine({ directory: folder });
  for (let first = 0; first < 40; first += 10)
    await before.append(await batchOf(EVENTS.slice(first, first + 10)), 0n);
  await before.close();
  const opened = await open(script, 1, { folder });
  await searchUntil(opened, () => opened.threads.readyCount === 1);
  const path = await joinedFile(join(folder, 'log'));
  const bytes = await readFile(path);
  // In the one record of a sealed segment.
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 200) ^ 1, bytes.length - 200);
  await writeFile(path, bytes);
  expect(await textsOf(opened, { query: { text: 'needle' } })).toEqual(
    EVENTS.slice(0, 40)
      .map(String)
      .reverse()
      .filter((text, at) => text.includes('needle') && at < 20),
  );
  expect(opened.engine.gauges().damagedRecordCount).toBe(1);
  await opened.close();
  await rm(folder, { recursive: true });
});

test('closing threads that were never asked ends', async () => {
  const threads = new SearchThreads({ script, count: 4, log: pino({ level: 'silent' }) });
  await threads.close();
  expect(threads.readyCount).toBe(0);
  expect(never.aborted).toBe(false);
});
