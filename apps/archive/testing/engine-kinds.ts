import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Engine } from '../engine';
import { openEngine } from './engines';
import {
  describeWithOpensearch,
  openOpensearch,
  ownPrefix,
  removeIndices,
  searchableAtOnce,
} from './opensearch';

/** An archive of a test's own. */
export interface TestArchive {
  readonly engine: Engine;
  /** Closes it and opens it again, with all that it holds. */
  readonly reopen: () => Promise<TestArchive>;
  /** Closes it and removes what it holds. */
  readonly remove: () => Promise<void>;
}

/** An engine, as tests open it. */
export interface EngineKind {
  readonly name: string;
  /** `describe`, or what says why its tests are not run. */
  readonly describe: (name: string, tests: () => void) => void;
  readonly open: () => Promise<TestArchive>;
}

/** Every engine that there is: what is promised of one is promised of all. */
export const ENGINE_KINDS: readonly EngineKind[] = [
  {
    name: 'embedded',
    describe,
    async open() {
      const directory = await mkdtemp(join(tmpdir(), 'archive-'));
      return embedded(directory);
    },
  },
  {
    name: 'opensearch',
    describe: describeWithOpensearch,
    open: () => Promise.resolve(inOpensearch(ownPrefix())),
  },
];

async function embedded(directory: string): Promise<TestArchive> {
  // So small segments and so small a cache that there are many, and their columns are read again and again.
  const segment = { bytes: 2 ** 30, rows: 8, indexBytes: 2 ** 30, ageMs: 2 ** 40 };
  const engine = await openEngine({ directory, segment, indexCacheBytes: 500 });
  return {
    engine,
    reopen: async () => {
      await engine.close();
      return embedded(directory);
    },
    remove: async () => {
      await engine.close();
      await rm(directory, { recursive: true });
    },
  };
}

function inOpensearch(prefix: string): TestArchive {
  const engine = searchableAtOnce(openOpensearch({ prefix }), prefix);
  return {
    engine,
    reopen: async () => {
      await engine.close();
      return inOpensearch(prefix);
    },
    remove: async () => {
      await engine.close();
      await removeIndices(prefix);
    },
  };
}
