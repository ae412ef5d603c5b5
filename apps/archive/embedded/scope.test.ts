import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { timestampFromMicros } from '@auditing/audit-event/timestamp';
import { Query, type Scope } from '@auditing/proto/archive';
import { Field } from '@auditing/proto/event';

import { batchOf, DAY_ONE_US, eventBytes } from '../testing/batches';
import { found, never, openEngine } from '../testing/engines';
import type { Engine } from '../engine';

let directory: string;
let engine: Engine;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'archive-'));
  engine = await openEngine({ directory });
  const batch = await batchOf([
    eventBytes({ namespace: 'shop', name: 'before', atUs: 1e6 }),
    eventBytes({ namespace: 'shop', name: 'after', atUs: 3e6 }),
    eventBytes({ namespace: 'pay', name: 'filled', atUs: 3e6 }),
    eventBytes({ namespace: 'pay', name: 'other', atUs: 3e6 }),
    eventBytes({ namespace: '', resource: 'nodes', name: 'node', atUs: 3e6 }),
  ]);
  batch.verdicts!.verdicts[2]!.workspace = 'team';
  await engine.append(batch, 0n);
});

afterEach(async () => {
  await engine.close();
  await rm(directory, { recursive: true });
});

const entry = (name: string, sinceUs?: number) => ({
  name,
  since: sinceUs === undefined ? undefined : timestampFromMicros(DAY_ONE_US + sinceUs),
});

test.each<[string, Scope, readonly string[]]>([
  ['none', { namespaces: [], workspaces: [] }, []],
  [
    'a namespace',
    { namespaces: [entry('shop')], workspaces: [entry('nothing')] },
    ['after', 'before'],
  ],
  ['a namespace made anew', { namespaces: [entry('shop', 2e6)], workspaces: [] }, ['after']],
  ['a moment is part of its time', { namespaces: [entry('shop', 3e6)], workspaces: [] }, ['after']],
  ['a workspace', { namespaces: [], workspaces: [entry('team')] }, ['filled']],
  [
    'namespaces and workspaces are alternatives',
    { namespaces: [entry('shop', 2e6)], workspaces: [entry('team', 1e6)] },
    ['filled', 'after'],
  ],
  ['an empty name, which no event is in', { namespaces: [entry('')], workspaces: [entry('')] }, []],
])('a scope of %s shows these events, and counts them alone', async (_, scope, names) => {
  const query = Query.create({ scope });
  const { events, total } = await found(engine, { query, countTotal: true });
  expect(events.map(({ objectRef }) => objectRef?.name)).toEqual(names);
  expect(Number(total)).toBe(names.length);
  expect((await engine.statistics(query, never)).eventCount).toBe(BigInt(names.length));
  const facets = await engine.facets({ query, field: Field.NAME, limit: 9 }, never);
  expect(facets.facets.map(({ value }) => value).sort()).toEqual([...names].sort());
  expect((await engine.histogram({ query, intervalSeconds: 60 }, never)).total).toBe(
    BigInt(names.length),
  );
});

test('listeners get what is in their scope', async () => {
  const ending = new AbortController();
  const query = Query.create({ scope: { namespaces: [entry('shop', 2e6)], workspaces: [] } });
  const request = { query, includeRaw: false, resumeToken: '' };
  const tail = engine.tail(request, ending.signal)[Symbol.asyncIterator]();
  const first = tail.next();
  await new Promise(setImmediate);
  await engine.append(
    await batchOf([
      eventBytes({ namespace: 'shop', name: 'hidden', atUs: 1e6 }),
      eventBytes({ namespace: 'pay', name: 'hidden too', atUs: 4e6 }),
      eventBytes({ namespace: 'shop', name: 'seen', atUs: 4e6 }),
    ]),
    0n,
  );
  expect(((await first).value as { objectRef?: { name: string } }).objectRef?.name).toBe('seen');
  ending.abort();
});
