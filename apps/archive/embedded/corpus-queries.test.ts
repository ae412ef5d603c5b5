import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

import { decodeBody } from '@auditing/audit-event/decode-body';
import { Match } from '@auditing/proto/archive';
import { Field } from '@auditing/proto/event';

import { batchOf } from '../testing/batches';
import { allTexts, found, openEngine } from '../testing/engines';
import type { EmbeddedEngine } from './embedded-engine';

const RECORDED = join(__dirname, '../../../libs/audit-event/testdata');

type Json = Readonly<Record<string, unknown>>;

/** A field of an event by its path, in the casing of either sender; empty if it is not there. Knows nothing of ours. */
function plain(event: Json, path: string): string {
  let at: unknown = event;
  for (const name of path.split('.')) {
    if (typeof at !== 'object' || at === null) return '';
    const wanted = Object.keys(at).find((key) => key.toLowerCase() === name.toLowerCase());
    at = wanted === undefined ? undefined : (at as Json)[wanted];
  }
  return typeof at === 'string' || typeof at === 'number' ? String(at) : '';
}

let directory: string;
let engine: EmbeddedEngine;
/** What is stored, each once, with its bytes. */
let events: readonly { readonly text: string; readonly json: Json }[];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'archive-'));
  const segment = { bytes: 2 ** 30, rows: 500, indexBytes: 2 ** 30, ageMs: 2 ** 40 };
  engine = await openEngine({ directory, segment });
  const files = readdirSync(RECORDED, { recursive: true, encoding: 'utf8' });
  for (const name of files.filter((one) => one.endsWith('.json.gz')).sort()) {
    const body = await decodeBody(gunzipSync(readFileSync(join(RECORDED, name))));
    await engine.append(await batchOf(body.events.map(({ bytes }) => Buffer.from(bytes))), 0n);
  }
  events = (await allTexts(engine)).map((text) => ({ text, json: JSON.parse(text) as Json }));
});
afterAll(async () => {
  await engine.close();
  await rm(directory, { recursive: true });
});

interface Asked {
  readonly field: Field;
  readonly match?: Match;
  readonly value: string;
  readonly negate?: boolean;
}

async function textsThatFit(asked: readonly Asked[], text = ''): Promise<string[]> {
  const conditions = asked.map(({ field, match = Match.EXACT, value, negate = false }) => {
    return { field, match, values: [value], negate };
  });
  const answer = await found(engine, {
    query: { conditions, text },
    limit: 10_000,
    includeRaw: true,
    countTotal: true,
  });
  expect(Number(answer.total)).toBe(answer.events.length);
  return answer.events.map(({ raw }) => raw.toString()).sort();
}

const { VERB, CODE, RESOURCE, USER, NAMESPACE, REQUEST_URI } = Field;
test.each<[string, readonly Asked[], string, (event: Json, text: string) => boolean]>([
  [
    'verb create',
    [{ field: VERB, value: 'create' }],
    '',
    (event) => plain(event, 'verb') === 'create',
  ],
  [
    'code 404',
    [{ field: CODE, value: '404' }],
    '',
    (event) => plain(event, 'responseStatus.code') === '404',
  ],
  [
    'pods that are not listed',
    [
      { field: RESOURCE, value: 'pods' },
      { field: VERB, value: 'list', negate: true },
    ],
    '',
    (event) => plain(event, 'objectRef.resource') === 'pods' && plain(event, 'verb') !== 'list',
  ],
  [
    'users of the system',
    [{ field: USER, match: Match.PREFIX, value: 'SYSTEM:' }],
    '',
    (event) => plain(event, 'user.username').toLowerCase().startsWith('system:'),
  ],
  [
    'no namespace',
    [{ field: NAMESPACE, value: '' }],
    '',
    (event) => plain(event, 'objectRef.namespace') === '',
  ],
  [
    'a request URI with a watch',
    [{ field: REQUEST_URI, match: Match.CONTAINS, value: '*watch=*' }],
    '',
    (event) => plain(event, 'requestURI').includes('watch='),
  ],
  ['text', [], 'kube-system', (_event, text) => text.includes('kube-system')],
  [
    'text of deletions',
    [{ field: VERB, value: 'delete' }],
    'system:',
    (event, text) => plain(event, 'verb') === 'delete' && text.includes('system:'),
  ],
])(
  'of the recorded bodies %s finds what a filter of plain JSON finds',
  async (_name, ...[asked, text, fits]) => {
    const expected = events
      .filter(({ json, text: bytes }) => fits(json, bytes))
      .map((event) => event.text);
    expect(await textsThatFit(asked, text)).toEqual(expected.sort());
    expect(expected.length).toBeGreaterThan(0);
    expect(expected.length).toBeLessThan(events.length);
  },
);
