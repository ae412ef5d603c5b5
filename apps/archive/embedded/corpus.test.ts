import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

import { decodeBody } from '@auditing/audit-event/decode-body';
import { eventKey } from '@auditing/audit-event/event-key';

import { batchOf } from '../testing/batches';
import { allTexts, openEngine } from '../testing/engines';

/** Bodies recorded from real API servers: all of them where they are at hand, else those that are kept with the code. */
const ROOTS = [
  join(__dirname, '../../../../shared/corpus'),
  join(__dirname, '../../../samples'),
  join(__dirname, '../../../libs/audit-event/testdata'),
];

function recordedBodies(): Buffer[] {
  const root = ROOTS.find((path) => existsSync(path) && readdirSync(path).length > 0) ?? '';
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.json.gz'))
    .sort()
    .map((name) => gunzipSync(readFileSync(join(root, name))));
}

test('every event of the recorded bodies is stored once, byte for byte, however often it is sent', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'archive-'));
  const segment = { bytes: 2 ** 30, rows: 3000, indexBytes: 2 ** 30, ageMs: 2 ** 40 };
  let engine = await openEngine({ directory, segment });
  const expected = new Map<string, string>();
  const bodies = recordedBodies();
  try {
    for (const body of bodies) {
      const events = (await decodeBody(body)).events.map(({ bytes }) => Buffer.from(bytes));
      for (const bytes of events)
        expected.set(eventKey(bytes).toString('hex'), bytes.toString('latin1'));
      await engine.append(await batchOf(events), 0n);
    }
    expect(expected.size).toBeGreaterThan(100);
    const stored = (): Promise<string[]> => allTexts(engine, 'latin1');
    const sorted = [...expected.values()].sort();
    expect((await stored()).sort()).toEqual(sorted);

    await engine.close();
    engine = await openEngine({ directory, segment });
    for (const body of bodies) {
      const events = (await decodeBody(body)).events.map(({ bytes }) => Buffer.from(bytes));
      expect(await engine.append(await batchOf(events), 0n)).toMatchObject({ archivedCount: 0 });
    }
    expect((await stored()).sort()).toEqual(sorted);
    for (const [key, text] of [...expected].slice(0, 50)) {
      expect((await engine.get(Buffer.from(key, 'hex')))?.raw.toString('latin1')).toBe(text);
    }
  } finally {
    await engine.close();
    await rm(directory, { recursive: true });
  }
}, 300_000);
