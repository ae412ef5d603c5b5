import { JournalFailedError } from './journal-error';
import type { Journal, JournalOptions } from './journal';
import { LogJournal } from './log-journal';
import { nodeFiles } from './node-files';
import { findSegments, isRewritten, recover, removeUnfinished } from './segment';
import type { OpenSegment } from './segment';
import type { Files, OpenFile } from './files';
import { SEGMENT_HEADER_MIN_BYTES } from './segment-header';

/** Trimming goes by whole segments: small enough to give back room soon, large enough to be few. */
const SEGMENT_BYTES = 64 * 1024 * 1024;

/** In memory at once while the last group is written anew. */
const REWRITE_BYTES = 1024 * 1024;

type Repair = NonNullable<JournalOptions['onRepair']>;

/**
 * Opens a journal, or begins one if the folder is empty. What a crash left torn at the end is cut off; everything
 * that remains is on disk when this resolves. A record that was written whole, but whose append had not resolved
 * or was rejected just before the crash, may be there.
 *
 * Rejects with JournalFailedError if the disk fails, and with an Error if a newer version wrote the files.
 */
export async function openJournal(options: JournalOptions): Promise<Journal> {
  const { directory, files = nodeFiles } = options;
  const onRepair = options.onRepair ?? (() => undefined);
  let segments: OpenSegment[];
  try {
    await files.makeDirectory(directory);
    await removeUnfinished(files, directory);
    segments = await findSegments(files, directory);
    await removeEmptyNewest(segments, files, onRepair);
    await repairNewest(segments, files, onRepair);
    // Names that a killed process left in the memory of the kernel must not vanish after they were relied on.
    await files.syncDirectory(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    throw new JournalFailedError(`journal: ${directory} cannot be opened`, { cause: error });
  }
  return new LogJournal(segments, {
    directory,
    files,
    segmentBytes: options.segmentBytes ?? SEGMENT_BYTES,
    maxBytes: options.maxBytes ?? Infinity,
    segmentHead: options.segmentHead ?? (() => Buffer.alloc(0)),
  });
}

async function removeEmptyNewest(
  segments: OpenSegment[],
  files: Files,
  onRepair: Repair,
): Promise<void> {
  for (;;) {
    const newest = segments.at(-1);
    if (!newest || newest.fileBytes >= SEGMENT_HEADER_MIN_BYTES) return;
    await files.unlink(newest.path);
    segments.pop();
    onRepair({ path: newest.path, position: newest.start, cutBytes: newest.fileBytes });
  }
}

/** A newest segment whose header is damaged stays as it is, ended: its records cannot be told from garbage. */
async function repairNewest(
  segments: readonly OpenSegment[],
  files: Files,
  onRepair: Repair,
): Promise<void> {
  const newest = segments.at(-1);
  // One that was rewritten had another behind it, which is lost.
  if (!newest?.salt || isRewritten(newest)) return;
  const file = await files.open(newest.path, 'write durably');
  try {
    const { end, groupStart } = await recover(file, newest, newest.salt);
    newest.end = end;
    const keptBytes = newest.end - newest.start;
    const cutBytes = newest.fileBytes - keptBytes;
    if (cutBytes > 0) await file.truncate(keptBytes);
    await rewrite(file, groupStart - newest.start, keptBytes);
    await file.sync();
    newest.fileBytes = keptBytes;
    newest.file = file;
    if (cutBytes > 0) onRepair({ path: newest.path, position: newest.end, cutBytes });
  } catch (error) {
    await file.close();
    throw error;
  }
}

/**
 * Writes the bytes that are there once more. If a sync failed just before the end of the process, the kernel may
 * show records as written that are not on disk: only what is written anew is put there by the next sync.
 */
async function rewrite(file: OpenFile, from: number, to: number): Promise<void> {
  for (let at = from; at < to; at += REWRITE_BYTES)
    await file.write(at, [await file.read(at, Math.min(REWRITE_BYTES, to - at))]);
}
