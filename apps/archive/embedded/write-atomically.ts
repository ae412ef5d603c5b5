import { dirname } from 'node:path';

import type { Files } from '@auditing/journal/files';

/** Marks a file that is being written; one that is found was not finished. */
export const UNFINISHED = '.tmp';

/** Writes a file so that after a crash either the whole of it is there or what was there before. */
export async function writeAtomically(
  files: Files,
  path: string,
  chunks: readonly Uint8Array[],
): Promise<void> {
  const unfinished = path + UNFINISHED;
  try {
    const file = await files.open(unfinished, 'create');
    try {
      await file.write(0, chunks);
      await file.sync();
    } finally {
      await file.close();
    }
    await files.rename(unfinished, path);
  } catch (error) {
    // Half a file must not keep a full disk full. If it cannot be removed now, it is when the archive is opened.
    await files.unlink(unfinished).catch(() => undefined);
    throw error;
  }
  await files.syncDirectory(dirname(path));
}
