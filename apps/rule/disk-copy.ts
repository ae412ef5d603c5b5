import { join } from 'node:path';
import { openCursor } from '@auditing/journal/cursor';
import { nodeFiles } from '@auditing/journal/node-files';
import type { ResourcePart } from './rule-source';
import { parseStoredSet, type StoredSet } from './stored-set';

/** The last rule set, for a start while the source is broken or away. */
export interface DiskCopy {
  /** The set that was in force; undefined at the first start. */
  readonly stored: StoredSet | undefined;
  /** What each file of the source held when it could last be read. */
  readonly parts: Readonly<Record<string, ResourcePart>>;
  readonly saveSet: (set: StoredSet) => Promise<void>;
  readonly saveParts: (parts: Readonly<Record<string, ResourcePart>>) => Promise<void>;
}

/** Opens the copy in a folder, which is made if it is not there. */
export async function openDiskCopy(folder: string): Promise<DiskCopy> {
  const set = await openCursor(nodeFiles, join(folder, 'rule-set'));
  const parts = await openCursor(nodeFiles, join(folder, 'source'));
  let savedParts = parts.value?.toString() ?? '{}';
  return {
    stored: set.value && parseStoredSet(set.value.toString()),
    parts: JSON.parse(savedParts) as Readonly<Record<string, ResourcePart>>,
    saveSet: (stored) => set.save(Buffer.from(JSON.stringify(stored))),
    async saveParts(now) {
      const text = JSON.stringify(now);
      if (text === savedParts) return;
      await parts.save(Buffer.from(text));
      savedParts = text;
    },
  };
}
