import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { nodeFiles } from '@auditing/journal/node-files';

import { batchOf, eventBytes } from '../testing/batches';
import { ByteCache } from './byte-cache';
import { SegmentIndex } from './segment-index';
import { Segments } from './segments';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

test('the index of a segment is let go of once its sidecar is written', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'archive-'));
  const store = {
    files: nodeFiles,
    directory,
    cache: new ByteCache<unknown>(2 ** 20),
    rebuild: () => Promise.reject(new Error('nothing is rebuilt here')),
    join: () => Promise.resolve(false),
    onTrouble: (message: string) => {
      throw new Error(message);
    },
  };
  const kept = await batchOf([eventBytes({ auditId: 'a', atUs: 1 })]);
  const segments = new Segments(store, indexOf(0), 0);
  const held: WeakRef<SegmentIndex>[] = [];

  function indexOf(start: number): SegmentIndex {
    const index = new SegmentIndex(start);
    index.add(start, kept);
    return index;
  }
  async function seal(start: number): Promise<void> {
    const index = segments.current;
    held.push(new WeakRef(index));
    const end = start + 100;
    const state = { isSealed: true, isRewritten: false };
    const origin = { segmentEnd: end, segmentHash: '', damagedCount: 0, ...state };
    await segments.seal({ start, end, isRewritten: false }, { index, origin }, indexOf(end));
  }
  for (const start of [0, 100, 200, 300]) await seal(start);
  await segments.settled();
  expect(await segments.sealed()).toHaveLength(4);
  // A weak reference holds its target until the turn is over in which it was made.
  await new Promise((resolve) => setTimeout(resolve, 0));
  collectGarbage();
  // The turn of the last one may still be held.
  expect(held.slice(0, 3).map((index) => index.deref()?.start)).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
  await rm(directory, { recursive: true });
});
