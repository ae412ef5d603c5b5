import { join } from 'node:path';

import type { Files } from '@auditing/journal/files';

import { sidecarName } from './sealed-segment';
import { UNFINISHED } from './write-atomically';

/** Removes what a crash left in the folders: files that were not finished, and sidecars of segments that are gone. */
export async function removeStrays(
  files: Files,
  folders: { readonly archive: string; readonly index: string },
  starts: readonly number[],
): Promise<void> {
  const wanted = new Set(starts.map(sidecarName));
  for (const name of await files.list(folders.index)) {
    if (!wanted.has(name)) await files.unlink(join(folders.index, name));
  }
  for (const name of await files.list(folders.archive)) {
    if (name.endsWith(UNFINISHED)) await files.unlink(join(folders.archive, name));
  }
}
